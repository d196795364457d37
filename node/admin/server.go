package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Node is what the server needs of the node it speaks for. Its methods are
// called from many goroutines at once. Errors that wrap a sentinel error of
// this package reach the client as that; all others reach it as their text.
type Node interface {
	Status(ctx context.Context) (Status, error)
	// InviteSite returns ErrDenied if issuer is no key of an admin operator,
	// ErrNotReady before the first sync.
	InviteSite(ctx context.Context, issuer identity.PublicKey) (InviteSite, error)
	Heads(ctx context.Context) ([]Op, error)
	Log(ctx context.Context, limit int) ([]Op, error) // the latest ops, children first
	Op(ctx context.Context, id dag.ID) (OpDetail, error)
	Archive
	Keys

	Roster(ctx context.Context) (Roster, error)
	// Issuer returns what a statement by key must name, known to the mesh or not.
	Issuer(ctx context.Context, key identity.PublicKey) (Issuer, error)
	// Explain says how a key is kept.
	Explain(ctx context.Context, key []byte) (Explanation, error)
	// Keep returns the keep heads that KeepBefore describes.
	Keep(ctx context.Context, subject identity.StatementID, key *identity.PublicKey, before time.Time) ([]dag.ID, error)
	// Blocks returns an op as it is signed: header block and body.
	Blocks(ctx context.Context, id dag.ID) (Blocks, error)
	// Carry puts statements, whose signatures are good, into an own op, which is
	// durable when it returns. ErrDenied if the node may make no op.
	Carry(ctx context.Context, statements []*identity.Statement) (dag.ID, error)
	// Preview says what Carry would change. It changes nothing.
	Preview(ctx context.Context, statements []*identity.Statement) (Preview, error)
	// Rotate gives the node another key, which it returns. ErrDenied if its
	// enrolment does not allow it.
	Rotate(ctx context.Context) (identity.PublicKey, error)
}

// Server answers the admin requests of one node. It is safe for concurrent use.
type Server struct {
	http    *http.Server
	remove  func()
	done    chan struct{} // closed when serving has ended
	serving error         // why it ended; read after done
	logger  *slog.Logger
}

// Serve opens the socket of dataDir and answers requests on it for n until
// Close. The caller must hold the lock of dataDir: a socket that is found
// there and does not answer is taken for a dead node's and replaced. Errors:
// ErrInUse if one does answer, those of the file system. A nil logger discards.
func Serve(ctx context.Context, dataDir string, n Node, logger *slog.Logger) (*Server, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	l, remove, err := listen(ctx, dataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		http: &http.Server{
			Handler:           bounded(handler(n)),
			ReadHeaderTimeout: RequestTimeout,
			ReadTimeout:       RequestTimeout,
			WriteTimeout:      RequestTimeout,
			IdleTimeout:       RequestTimeout,
			MaxHeaderBytes:    MaxRequestBytes,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		remove: remove,
		done:   make(chan struct{}),
		logger: logger,
	}
	go func() {
		defer close(s.done)
		s.serving = s.http.Serve(&ownListener{Listener: l, logger: logger})
	}()
	return s, nil
}

// Close stops accepting, waits a few seconds for the requests at work, ends
// those that are left, and removes the socket. Closing again returns nil.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.done
	s.remove()
	if s.serving != nil && !errors.Is(s.serving, http.ErrServerClosed) {
		return errors.Join(err, s.serving)
	}
	return err
}

// ownListener accepts connections of this process's user and of root only.
type ownListener struct {
	net.Listener
	logger *slog.Logger
}

// Accept implements net.Listener.
func (l *ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if u, ok := c.(*net.UnixConn); ok {
			if uid, known := peerUID(u); known && uid != 0 && uid != uint32(os.Geteuid()) {
				l.logger.Warn("admin connection of another user refused", "uid", uid)
				c.Close()
				continue
			}
		}
		return c, nil
	}
}

// bounded lets MaxRequests requests through at one time, each for a bounded
// time.
func bounded(next http.Handler) http.Handler {
	slots := make(chan struct{}, MaxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			writeError(w, ErrBusy)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), RequestTimeout-time.Second)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// handler routes the paths of the package doc.
func handler(n Node) http.Handler {
	mux := http.NewServeMux()
	get := func(path string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	get("/v0/status", func(r *http.Request) (any, error) { return n.Status(r.Context()) })
	get("/v0/peers", func(r *http.Request) (any, error) {
		st, err := n.Status(r.Context())
		return peerList{Peers: st.Peers}, err
	})
	get("/v0/dag/heads", func(r *http.Request) (any, error) {
		ops, err := n.Heads(r.Context())
		return opList{Ops: ops}, err
	})
	get("/v0/dag/log", func(r *http.Request) (any, error) {
		limit, err := checkLimit(r.URL.Query().Get("limit"))
		if err != nil {
			return nil, err
		}
		ops, err := n.Log(r.Context(), limit)
		return opList{Ops: ops}, err
	})
	get("/v0/dag/ops/{id}", func(r *http.Request) (any, error) {
		id, err := dag.ParseID(r.PathValue("id"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return n.Op(r.Context(), id)
	})
	archiveRoutes(n, get)
	keyRoutes(n, get)
	mux.HandleFunc("GET "+exportPath, exportHandler(n))
	get("/v0/invite-site", func(r *http.Request) (any, error) {
		issuer, err := checkIssuer(r.URL.Query().Get("issuer"))
		if err != nil {
			return nil, err
		}
		return n.InviteSite(r.Context(), issuer)
	})
	get("/v0/roster", func(r *http.Request) (any, error) { return n.Roster(r.Context()) })
	get("/v0/issuer", func(r *http.Request) (any, error) {
		key, err := checkIssuer(r.URL.Query().Get("key"))
		if err != nil {
			return nil, err
		}
		return n.Issuer(r.Context(), key)
	})
	get("/v0/policy", func(r *http.Request) (any, error) {
		key, err := checkKey(r.URL.Query().Get("key"))
		if err != nil {
			return nil, err
		}
		return n.Explain(r.Context(), key)
	})
	get("/v0/dag/blocks/{id}", func(r *http.Request) (any, error) {
		id, err := dag.ParseID(r.PathValue("id"))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return n.Blocks(r.Context(), id)
	})
	get("/v0/keep", func(r *http.Request) (any, error) {
		subject, key, before, err := checkKeep(r.URL.Query())
		if err != nil {
			return nil, err
		}
		ids, err := n.Keep(r.Context(), subject, key, before)
		return keepList{Keep: ids}, err
	})
	post := func(path string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, f) })
	}
	post("/v0/statements", func(r *http.Request) (any, error) {
		statements, err := readStatements(r)
		if err != nil {
			return nil, err
		}
		op, err := n.Carry(r.Context(), statements)
		return Carried{Op: op}, err
	})
	post("/v0/statements/preview", func(r *http.Request) (any, error) {
		statements, err := readStatements(r)
		if err != nil {
			return nil, err
		}
		return n.Preview(r.Context(), statements)
	})
	post("/v0/rotate", func(r *http.Request) (any, error) {
		key, err := n.Rotate(r.Context())
		return Rotated{Node: key}, err
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, ErrNotFound))
	})
	return mux
}

// The lists are objects, so that fields can be added.
type (
	peerList struct {
		Peers []Peer `json:"peers"`
	}
	opList struct {
		Ops []Op `json:"ops"`
	}
	keepList struct {
		Keep []dag.ID `json:"keep"`
	}
)

// checkLimit parses the number of ops asked for.
func checkLimit(s string) (int, error) {
	if s == "" {
		return DefaultLogOps, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxLogOps {
		return 0, fmt.Errorf("%w: limit %q is not between 1 and %d", ErrInvalid, s, MaxLogOps)
	}
	return n, nil
}

// readStatements reads the body of a request.
func readStatements(r *http.Request) ([]*identity.Statement, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(b) > MaxBodyBytes {
		return nil, fmt.Errorf("%w: a body of more than %d bytes", ErrInvalid, MaxBodyBytes)
	}
	var req StatementsRequest
	if err := json.Unmarshal(b, &req); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return req.decode()
}

// answer writes what f returns.
func answer(w http.ResponseWriter, r *http.Request, f func(r *http.Request) (any, error)) {
	v, err := f(r)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func writeError(w http.ResponseWriter, err error) {
	status, body := encodeError(err)
	writeJSON(w, status, body)
}

// writeJSON writes v. A failure to send is the client's loss: it has gone.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer has no JSON form"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
