package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrNotRunning says that no node serves the data directory.
	ErrNotRunning = errors.New("no node is running on this data directory")

	// ErrInUse says that another node's socket answers in the data directory.
	ErrInUse = errors.New("another node is running on this data directory")

	// ErrNotFound says that the node knows no such op, or the path is unknown.
	ErrNotFound = errors.New("not found")

	// ErrInvalid says that the request is malformed or out of bounds.
	ErrInvalid = errors.New("invalid request")

	// ErrDenied says that this node's operator has no authority for it.
	ErrDenied = errors.New("permission denied")

	// ErrNotReady says that the node has not completed its first sync.
	ErrNotReady = errors.New("the node has not completed its first sync")

	// ErrBusy says that MaxRequests requests are at work already.
	ErrBusy = errors.New("too many admin requests")
)

// code is how a sentinel error travels: its name in JSON and its HTTP status.
type code struct {
	err    error
	name   string
	status int
}

// codes is the one table of errors on the wire, first match wins.
var codes = []code{
	{ErrNotFound, "not_found", http.StatusNotFound},
	{ErrInvalid, "invalid", http.StatusBadRequest},
	{ErrDenied, "denied", http.StatusForbidden},
	{ErrNotReady, "not_ready", http.StatusServiceUnavailable},
	{ErrBusy, "busy", http.StatusTooManyRequests},
	{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout},
}

// wireError is the body of a failed request.
type wireError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// encodeError gives the HTTP status and body for err.
func encodeError(err error) (int, wireError) {
	var w wireError
	w.Error.Code, w.Error.Message = "internal", err.Error()
	for _, c := range codes {
		if errors.Is(err, c.err) {
			w.Error.Code = c.name
			return c.status, w
		}
	}
	return http.StatusInternalServerError, w
}

// remoteError is an error the node answered. Its text is the node's own; it
// unwraps to the sentinel error its code names.
type remoteError struct {
	message string
	kind    error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }

// decodeError turns an answer's error back into one of this process.
func decodeError(status int, w wireError) error {
	if w.Error.Message == "" {
		return fmt.Errorf("the node answered %d %s", status, http.StatusText(status))
	}
	e := &remoteError{message: w.Error.Message}
	for _, c := range codes {
		if c.name == w.Error.Code {
			e.kind = c.err
		}
	}
	return e
}
