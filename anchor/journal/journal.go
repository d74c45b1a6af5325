// Package journal is the only door through which state changes: an append-only Merkle log of events, and the tables
// that reducers derive from it in the same transaction.
//
// A caller hands [Journal.Commit] a decide function; the events that it returns become leaves of an RFC 6962 tree, the
// reducers of their types copy them into projections, and one transaction of the [Backend] makes all of it durable.
// After the commit comes release: the new bodies are shipped to a [Bucket], the head object there is swapped, and the
// checkpoint is signed, in this order.
package journal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrStopped says that the outcome of an earlier transaction is unknown, so that this process may not write any
	// more. The caller should end the process: on the next start the journal reads what really happened.
	ErrStopped = errors.New("the journal has stopped: the outcome of a write is unknown")
	// ErrFull says that the journal's disk is full. Nothing was written; the same call may succeed later.
	ErrFull = errors.New("the journal's disk is full")
	// ErrNotFound says that the journal has no such entry, tile or size.
	ErrNotFound = errors.New("not in the journal")
	// ErrClosed says that the journal was closed before the call could be served. Nothing was written.
	ErrClosed = errors.New("the journal is closed")
	// ErrMissing says that there is neither a journal nor a released copy to restore it from.
	ErrMissing = errors.New("there is no journal here")
	// ErrContradicts says that the journal and the released head hold different histories.
	ErrContradicts = errors.New("the journal contradicts the released head")
	// ErrDamaged says that a row is not what the log says it must be.
	ErrDamaged = errors.New("the journal is damaged")
)

// Config is what a journal needs. Every field is required unless it says otherwise.
type Config struct {
	Backend     Backend
	Bucket      Bucket
	Signer      Signer
	Clock       Clock
	Rand        io.Reader
	Log         *slog.Logger
	Definitions []Definition
	// Origin names the log: the key name of its checkpoints (C2SP tlog-checkpoint). It must be given when a journal is
	// created; afterwards it must be empty or the same.
	Origin string
	// ShippingKeys wraps the key that authenticates what is shipped.
	ShippingKeys ShippingKeys
	// LocalKey authenticates the heads that are written while the key service is down. Nil: the journal is not opened
	// without the key service.
	LocalKey LocalKey
	// Outside confirms how much time has passed over a stop, or a step of the clock (SettledTime). Nil: only a person
	// can say so.
	Outside OutsideTime
	// Before is asked when the backend is as far as what was released, before anything is committed, shipped or signed:
	// its error keeps the journal from being opened. It may be nil.
	Before func(context.Context) error
	// ID is the journal id, which the caller draws when a journal is created. It is the same ever after: later it must
	// be zero or that one.
	ID ID
	// Place says where the backend lies, for the lease on the bucket: the same database at the same place goes on with
	// its lease at once, while a copy elsewhere waits for its end. It must differ after a restart of the machine, which
	// may be another machine's copy of the disk. Empty means that it is not known: then every start waits, but for one
	// after a clean end.
	Place string
	// Term is how long a lease on the bucket lasts; 0 means 30 seconds. It must be the same for all who use the bucket.
	Term time.Duration
	// ReadsWithoutLease lets Fence permit reads while the lease cannot be renewed, after an event that says so.
	ReadsWithoutLease bool
	// Tail is how many bytes of the newest entries the released head may hold itself, so that a release writes one
	// object and not two; 0 means 64 KiB. When the entries exceed it they are shipped as a batch.
	Tail int
	// Remembered is the note of a checkpoint of this journal that the caller has kept; may be empty. It is the newest
	// one until another is signed, so that a start while the signer is down can still prove what it covers.
	Remembered []byte
	// Create permits the start of a new, empty journal where there is neither one nor a released copy. Without it Open
	// returns ErrMissing.
	Create bool
}

// Actor is who acts: it goes into every body.
type Actor struct {
	Tenant string
	ID     string
}

// System is the tenant of the journal's own acts: anchors, duties, clock steps.
const System = "system"

// Change is what a decide function returns.
type Change struct {
	Events []Event // appended in order; reducers turn them into projections
	Sealed []Row   // rows that may one day be erased; a nil value erases
}

// Row is a sealed row: ciphertext that may be erased while every proof goes on verifying. An event of this or an
// earlier change must bind it (Writer.Bind), and one of the same change releases it (Writer.Unbind) when it is erased;
// Commit refuses the change otherwise. A row that is bound may be written again, with an event that says so.
type Row struct {
	Key   []byte
	Value []byte // nil erases the row
	// Tokens are index rows that lead to this row: those to add, or, of a row that is erased, all that there are. They
	// are never shipped: a restore computes them again. To keep an erased row's tokens, name them in another row that
	// follows it in the same change.
	Tokens [][]byte
}

// Event is one act, before Commit has given it its place.
type Event struct {
	Type string // "document.deposited/1"
	Doc  ID     // zero for events that are not about one document
	Data any    // a value of the type's data; marshaled into the body
}

// View is what decide sees: every earlier commit, and the time. It is valid inside its callback only.
type View interface {
	Reader
	// Now is fixed once for the group; it never goes back.
	Now() time.Time
	// Settled is the time that waiting periods and lapses go by, which no clock alone can move forward while something
	// waits; see SettledTime. It is fixed once for the group; it never goes back. A waiting period ends at WaitEnds.
	Settled() time.Time
}

// Receipt is the place of a change's last event in the log. Commit leaves Proof and Checkpoint empty; Released fills
// them.
type Receipt struct {
	Index      uint64
	Leaf       Hash // the leaf's entry: SHA-256(nonce ‖ body)
	Nonce      [NonceSize]byte
	Body       []byte
	Proof      []Hash // RFC 9162 inclusion proof of Index in the checkpoint's tree
	Checkpoint []byte // the signed note
}

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	cfg    Config
	schema *schema
	id     ID
	origin string
	eras   []Era

	requests chan *request
	ctx      context.Context // of the workers; ends at Close
	cancel   context.CancelFunc
	workers  sync.WaitGroup

	bucket shipped
	key    atomic.Pointer[shippingKey] // authenticates the heads that are written: the local key while provisional

	provisional atomic.Bool
	opened      chan struct{} // closed when the shipping key has been unwrapped

	head atomic.Pointer[Head] // committed, and authentic
	size atomic.Uint64        // of head

	knownHead atomic.Pointer[knownHead] // the head row that was written or verified last
	lastNews  atomic.Uint64             // the size just after the last event that is not quiet

	commitMu sync.Mutex // held while a group is committed, and while a provisional start ends
	edge     *edge
	time     timekeeper
	timeSeen atomic.Pointer[timekeeper] // time, as the last commit has left it

	shippedEdge *edge // the shipper's own: of the tree at the released head

	swapped    atomic.Pointer[releasedHead]   // the head object as it stands in the bucket
	reshipping atomic.Pointer[reshipProgress] // nil while the history is not shipped again
	checkpoint atomic.Pointer[Checkpoint]     // the last signed checkpoint

	news        *broadcast // rings at every commit with an event that is not quiet
	commits     *broadcast // rings at every commit
	swaps       *broadcast // rings at every swap of the head object
	checkpoints *broadcast // rings at every new checkpoint

	requested atomic.Uint64 // a caller waits for the release of all entries below this index
	urgent    *broadcast    // rings when that has grown

	shipmentsMu sync.Mutex
	shipments   []shipment // not yet compacted
	batches     keeper

	damage       damageSeen
	unreleasable atomic.Pointer[error] // why nothing can be released; nil while it can

	tenure *tenure

	holder  string // of leases
	leaseMu sync.Mutex
	leases  map[string]time.Time // until when we hold the lease of a kind of duty
	tried   reached

	stop    sync.Once
	stopped chan struct{} // closed when the journal may not write any more
	stopErr error         // read after stopped is closed
}

// Stopped is closed when the journal may not write any more; Err then says why.
func (j *Journal) Stopped() <-chan struct{} { return j.stopped }

// Err says why the journal has stopped; nil while it has not.
func (j *Journal) Err() error {
	select {
	case <-j.stopped:
		return j.stopErr
	default:
		return nil
	}
}

// halt stops the journal for good.
func (j *Journal) halt(why error) {
	j.stop.Do(func() {
		j.stopErr = why
		close(j.stopped)
	})
}

// Size is the number of committed leaves.
func (j *Journal) Size() uint64 { return j.size.Load() }

// ID is the journal id, which stays the same under every origin.
func (j *Journal) ID() ID { return j.id }

// Origin is the log's name.
func (j *Journal) Origin() string { return j.origin }

// View reads a snapshot in which every earlier commit is. The reader is valid inside fn only; keep fn short.
func (j *Journal) View(ctx context.Context, fn func(Reader) error) error {
	return j.noteDamage(j.cfg.Backend.View(ctx, fn))
}

// Close lets the commits under way finish, stops the workers, gives the lease back and closes the backend. Entries that
// are not released yet are released at the next start.
func (j *Journal) Close() error {
	j.cancel()
	j.workers.Wait()
	j.giveBack()
	return j.cfg.Backend.Close()
}

// await waits until changed is closed; the error says why it stopped waiting before: the end of ctx, ErrStopped or
// ErrClosed.
func (j *Journal) await(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-j.stopped:
		return ErrStopped
	case <-j.ctx.Done():
		return ErrClosed
	}
}

// sleep pauses; false when the journal is closing.
func (j *Journal) sleep(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.ctx.Done():
		return false
	case <-j.stopped:
		return false
	}
}
