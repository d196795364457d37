package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Client asks the node that serves a data directory. It is safe for concurrent
// use. Every method returns an error that wraps ErrNotRunning if no node
// answers, and otherwise those of the node (see errors.go).
type Client struct {
	dataDir string
	http    *http.Client
}

// NewClient returns a client of the node on dataDir. It does not connect yet.
func NewClient(dataDir string) *Client {
	c := &Client{dataDir: dataDir}
	c.http = &http.Client{
		Timeout: RequestTimeout,
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
			DisableKeepAlives: true, // one request to a connection: nothing to close
		},
	}
	return c
}

// dial connects to the node's socket.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	path, err := findSocket(c.dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	return conn, err
}

// Status returns the node's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	err := c.get(ctx, "/v0/status", &st)
	return st, err
}

// Peers returns the node's peers, by ID.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	var l peerList
	err := c.get(ctx, "/v0/peers", &l)
	return l.Peers, err
}

// InviteSite asks what an invitation by issuer must name. Errors: ErrDenied if
// issuer is no key of an admin operator, ErrNotReady before the first sync.
func (c *Client) InviteSite(ctx context.Context, issuer identity.PublicKey) (InviteSite, error) {
	var site InviteSite
	err := c.get(ctx, "/v0/invite-site?issuer="+url.QueryEscape(issuer.String()), &site)
	return site, err
}

// Heads returns the heads of the node's DAG, ascending by ID.
func (c *Client) Heads(ctx context.Context) ([]Op, error) {
	var l opList
	err := c.get(ctx, "/v0/dag/heads", &l)
	return l.Ops, err
}

// Log returns the limit latest ops, children before their parents; 0 means
// DefaultLogOps.
func (c *Client) Log(ctx context.Context, limit int) ([]Op, error) {
	path := "/v0/dag/log"
	if limit != 0 {
		path += "?limit=" + strconv.Itoa(limit)
	}
	var l opList
	err := c.get(ctx, path, &l)
	return l.Ops, err
}

// Op returns one op with its body. An ID the node does not know is ErrNotFound.
func (c *Client) Op(ctx context.Context, id dag.ID) (OpDetail, error) {
	var d OpDetail
	err := c.get(ctx, "/v0/dag/ops/"+id.String(), &d)
	return d, err
}

// Blocks returns an op as it is signed. An ID the node does not know is ErrNotFound.
func (c *Client) Blocks(ctx context.Context, id dag.ID) (block, body []byte, err error) {
	var b Blocks
	err = c.get(ctx, "/v0/dag/blocks/"+id.String(), &b)
	return b.Block, b.Body, err
}

// Roster returns who may write what, as the node has it.
func (c *Client) Roster(ctx context.Context) (Roster, error) {
	var r Roster
	err := c.get(ctx, "/v0/roster", &r)
	return r, err
}

// Issuer asks what a statement by key must name.
func (c *Client) Issuer(ctx context.Context, key identity.PublicKey) (Issuer, error) {
	var i Issuer
	err := c.get(ctx, "/v0/issuer?key="+url.QueryEscape(key.String()), &i)
	return i, err
}

// Explain asks how a key of the keyspace is kept.
func (c *Client) Explain(ctx context.Context, key []byte) (Explanation, error) {
	var e Explanation
	err := c.get(ctx, "/v0/policy?key="+base64.URLEncoding.EncodeToString(key), &e)
	return e, err
}

// Keep asks for the keep heads of a restriction that keeps what its subject
// wrote before a moment; see KeepBefore.
func (c *Client) Keep(ctx context.Context, subject identity.StatementID, key *identity.PublicKey, before time.Time) ([]dag.ID, error) {
	q := url.Values{"subject": {subject.String()}, "before": {before.UTC().Format(time.RFC3339Nano)}}
	if key != nil {
		q.Set("key", key.String())
	}
	var l keepList
	err := c.get(ctx, "/v0/keep?"+q.Encode(), &l)
	return l.Keep, err
}

// Carry has the node carry statements in an operation, which is durable when
// it returns. Whether they have an effect is the roster's to say; see Preview.
// Errors: ErrInvalid for what is malformed or signed badly, ErrDenied if the node
// may make no operation.
func (c *Client) Carry(ctx context.Context, statements ...*identity.Statement) (dag.ID, error) {
	var carried Carried
	err := c.post(ctx, "/v0/statements", encodeStatements(statements), &carried)
	return carried.Op, err
}

// Preview asks what Carry would change.
func (c *Client) Preview(ctx context.Context, statements ...*identity.Statement) (Preview, error) {
	var p Preview
	err := c.post(ctx, "/v0/statements/preview", encodeStatements(statements), &p)
	return p, err
}

// Rotate gives the node another key and returns it. The node then opens again
// with it, which takes it seconds. ErrDenied if its enrolment does not allow it.
func (c *Client) Rotate(ctx context.Context) (identity.PublicKey, error) {
	var r Rotated
	err := c.post(ctx, "/v0/rotate", struct{}{}, &r)
	return r.Node, err
}

func encodeStatements(statements []*identity.Statement) StatementsRequest {
	var r StatementsRequest
	for _, s := range statements {
		r.Statements = append(r.Statements, s.Encoded())
	}
	return r
}

// get sends one request and decodes its answer into v.
func (c *Client) get(ctx context.Context, path string, v any) error {
	return c.do(ctx, http.MethodGet, path, nil, v)
}

// post sends one request with a body and decodes its answer into v.
func (c *Client) post(ctx context.Context, path string, body, v any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, b, v)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://causeway"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreached(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxResponseBytes+1))
	if err != nil {
		return fmt.Errorf("admin socket of %s: %w", c.dataDir, err)
	}
	if len(b) > MaxResponseBytes {
		return fmt.Errorf("admin socket of %s: the answer exceeds %d bytes", c.dataDir, MaxResponseBytes)
	}
	if resp.StatusCode != http.StatusOK {
		return c.refused(resp, b)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("admin socket of %s: %w", c.dataDir, err)
	}
	return nil
}

// unreached returns the error of a request that got no answer.
func (c *Client) unreached(err error) error {
	if errors.Is(err, ErrNotRunning) {
		return fmt.Errorf("%w: %s", ErrNotRunning, c.dataDir)
	}
	return fmt.Errorf("admin socket of %s: %w", c.dataDir, err)
}

// refused returns the error that an answer with that body is.
func (c *Client) refused(resp *http.Response, body []byte) error {
	var w wireError
	if err := json.Unmarshal(body, &w); err != nil {
		return fmt.Errorf("admin socket of %s: %s", c.dataDir, resp.Status)
	}
	return decodeError(resp.StatusCode, w)
}
