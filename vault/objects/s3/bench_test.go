package s3_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"muniment/vault/objects"
	"muniment/vault/servertest"
)

// clients is how many work at a time.
const clients = 8

// way is a way to put and get objects.
type way struct {
	name string
	put  func(key string, body []byte) error
	get  func(key string) (int64, error)
}

// ways are the same requests three times: signed by hand over net/http, with the condition and the checksum that the
// store sends too; by minio-go as it comes; and by the store.
func ways(b *testing.B, server *servertest.S3) []way {
	b.Helper()
	bucket := server.BucketName()
	cfg := config(b, server, bucket, true)
	cfg.PartSize, cfg.StreamSize = 0, 0
	store := open(b, cfg)
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * clients, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	bare := func(method, key string, body []byte) (int64, error) {
		req, err := http.NewRequestWithContext(b.Context(), method, server.URL()+"/"+bucket+"/"+key,
			bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if method == http.MethodPut {
			req.Header.Set("If-None-Match", "*")
			sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
			req.Header.Set("X-Amz-Checksum-Crc32c",
				base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
		}
		resp, err := transport.RoundTrip(signer.SignV4(*req, server.AccessKey, server.SecretKey, "", server.Region))
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		return n, err
	}
	client, err := minio.New(server.Endpoint,
		&minio.Options{Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, "")})
	if err != nil {
		b.Fatal(err)
	}
	return []way{
		{
			"bare",
			func(key string, body []byte) error { _, err := bare(http.MethodPut, key, body); return err },
			func(key string) (int64, error) { return bare(http.MethodGet, key, nil) },
		},
		{
			"minio-go",
			func(key string, body []byte) error {
				_, err := client.PutObject(b.Context(), bucket, key, bytes.NewReader(body), int64(len(body)),
					minio.PutObjectOptions{})
				return err
			},
			func(key string) (int64, error) {
				object, err := client.GetObject(b.Context(), bucket, key, minio.GetObjectOptions{})
				if err != nil {
					return 0, err
				}
				defer object.Close()
				return io.Copy(io.Discard, object)
			},
		},
		{
			"store",
			func(key string, body []byte) error {
				_, err := store.Put(b.Context(), key, bytes.NewReader(body), objects.PutOptions{
					Length: int64(len(body)), Condition: objects.Condition{Absent: true},
				})
				return err
			},
			func(key string) (int64, error) {
				body, _, err := store.Get(b.Context(), key, "", nil)
				if err != nil {
					return 0, err
				}
				defer body.Close()
				return io.Copy(io.Discard, body)
			},
		},
	}
}

// BenchmarkTransfer puts and gets objects by 8 clients at a time. The ways take turns, so that whatever else the
// machine does meets all of them; their figures are transfers a second, and the ratio of the store's to the bare one's.
func BenchmarkTransfer(b *testing.B) {
	server := servertest.Versitygw(b)
	all := ways(b, server)
	var serial atomic.Int64
	for _, size := range []int{10 << 10, 100 << 10, 64 << 20} {
		body, turn := content(size), 400
		if size > 1<<20 {
			turn = 16
		}
		for _, w := range all {
			if err := w.put(fmt.Sprintf("get-%d-%s", size, w.name), body); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("put/%dKiB", size>>10), func(b *testing.B) {
			inTurns(b, all, turn, func(w way) error { return w.put(fmt.Sprintf("put/%d", serial.Add(1)), body) })
		})
		b.Run(fmt.Sprintf("get/%dKiB", size>>10), func(b *testing.B) {
			inTurns(b, all, turn, func(w way) error {
				n, err := w.get(fmt.Sprintf("get-%d-%s", size, w.name))
				if err == nil && n != int64(size) {
					err = fmt.Errorf("got %d bytes of %d", n, size)
				}
				return err
			})
		})
	}
}

// inTurns has each way make some calls by several clients, b.N times.
func inTurns(b *testing.B, all []way, calls int, call func(way) error) {
	took := map[string]time.Duration{}
	for n := range b.N {
		for i := range all {
			w := all[(n+i)%len(all)]
			var next atomic.Int64
			var wait sync.WaitGroup
			start := time.Now()
			for range clients {
				wait.Go(func() {
					for next.Add(1) <= int64(calls) {
						if err := call(w); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			took[w.name] += time.Since(start)
		}
	}
	for _, w := range all {
		b.ReportMetric(float64(b.N*calls)/took[w.name].Seconds(), w.name+"/s")
	}
	b.ReportMetric(took["bare"].Seconds()/took["store"].Seconds(), "of-bare")
	b.ReportMetric(0, "ns/op")
}
