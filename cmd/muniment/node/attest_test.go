package node

import (
	"strings"
	"testing"

	"muniment/cmd/muniment/config"
)

// TestStoresHaveNamesOfTheirOwn, which do not tell where they are.
func TestStoresHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	at := func(endpoint, bucket string) string {
		return storeName(config.Storage{Kind: config.StorageS3, S3: config.S3{Endpoint: endpoint, Bucket: bucket}})
	}
	one := at("https://s3.example.org", "documents")
	if one != at("https://s3.example.org/", "documents") || one == at("https://s3.example.org", "other") ||
		one == at("https://s3.example.com", "documents") {
		t.Errorf("%s is the name of another store too", one)
	}
	if strings.Contains(one, "example") || !strings.HasPrefix(one, "s3/") ||
		storeName(config.Storage{Kind: config.StorageFolder}) != "folder" {
		t.Errorf("the name is %s", one)
	}
}
