package gateway

import (
	"net/http"
	"time"
)

// answerChunk is how many bytes a client must take within one Stall.
const answerChunk = 64 << 10

// answerWriter breaks the connection of a client that stalls, or is too slow, while it takes its answer.
type answerWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	pace    pace
	body    bool // the request has one
}

// Unwrap serves http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter. Before it sends the header of a refusal, the server reads what is left of
// the body, so as to keep the connection. That must end well before the deadline of the answer itself.
func (w *answerWriter) WriteHeader(status int) {
	if w.body {
		_ = w.control.SetReadDeadline(time.Now().Add(w.pace.least.Stall / 4))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (int, error) {
	written := 0
	for {
		chunk := p[:min(len(p), answerChunk)]
		// A writer without deadlines, as in tests, has none: that is no reason to fail.
		begun := time.Now()
		_ = w.control.SetWriteDeadline(begun.Add(w.pace.left()))
		n, err := w.ResponseWriter.Write(chunk)
		w.pace.moved(n, time.Since(begun))
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}
