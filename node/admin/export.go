package admin

import (
	"context"
	"io"
	"net/http"
	"time"
)

// exportPath is answered with a file, not with JSON.
const exportPath = "/v0/dag/export"

// exportHandler streams all operations. It takes as long as it takes, while the
// client reads: each write has RequestTimeout.
func exportHandler(n Archive) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := &patientWriter{w: w, control: http.NewResponseController(w)}
		w.Header().Set("Content-Type", "application/vnd.ipld.car")
		// The request's context ends too early; a client that has gone ends a write.
		err := n.Export(context.WithoutCancel(r.Context()), out)
		switch {
		case err == nil:
		case !out.begun:
			writeError(w, err)
		default:
			panic(http.ErrAbortHandler) // the client must not take this for the end
		}
	}
}

// patientWriter writes an answer whose length nobody knows.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
	begun   bool
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(RequestTimeout)); err != nil {
		return 0, err
	}
	p.begun = true
	return p.w.Write(b)
}

// Export writes all operations that the node holds to w as a CAR file
// (docs/export.md). It is bounded by ctx alone. An error may leave a part of it written.
func (c *Client) Export(ctx context.Context, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://causeway"+exportPath, nil)
	if err != nil {
		return err
	}
	patient := http.Client{Transport: c.http.Transport}
	resp, err := patient.Do(req)
	if err != nil {
		return c.unreached(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(resp.Body, MaxRequestBytes))
		if err != nil {
			return c.unreached(err)
		}
		return c.refused(resp, b)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return c.unreached(err)
	}
	return nil
}
