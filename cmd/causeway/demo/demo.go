// Package demo shows in half a minute what Causeway does: three sites and one
// liar in one process, on real sockets and disks. It writes through real etcd
// clients on both sides of a cut, heals the cut, lets the liar lie, and
// compares what the honest sites hold in the end.
//
// The sites are whole nodes, as causeway serve runs them. The liar is an
// enrolled member with a real connection to each site, which sends what an
// honest program would not. Nothing is staged: each step waits for what it
// reports, and fails if it does not happen in time.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/causeway-sync/causeway/node"
)

// Config says where and how the demonstration runs.
type Config struct {
	// Dir is an empty directory for the sites' data. Required.
	Dir string
	// Progress is told what happens. Required.
	Progress Progress
	// Logger receives the sites' logs; nil discards.
	Logger *slog.Logger
	// StepTimeout bounds each step. Default 30 s.
	StepTimeout time.Duration
}

// Progress is told what happens. Its methods are called by one goroutine.
type Progress interface {
	// Begin says that a step begins.
	Begin(step string)
	// End says how the step that began last ended: what came of it, or why
	// it failed.
	End(result string, err error)
}

// The keys that the demonstration writes.
const (
	doorKey  = "/shared/door" // written on both sides of the cut
	claimKey = "/liar/claim"  // forked by the liar
)

// writesPerSide is how many keys each side writes during the cut.
const writesPerSide = 25

// run is a demonstration under way.
type run struct {
	cfg               Config
	north, east, west *site
	liar              *liar
	lies              []Lie
}

// Run runs the demonstration and reports what the sites hold in the end. The
// error says which step failed, or nothing if all came to their ends; whether
// the honest sites agree is the report's to say.
func Run(ctx context.Context, cfg Config) (_ Report, err error) {
	if cfg.StepTimeout == 0 {
		cfg.StepTimeout = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &run{cfg: cfg}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, s := range []struct {
		title string
		do    func(context.Context) (string, error)
	}{
		{"north founds a mesh", r.found},
		{"east and west join it with tickets", r.join},
		{"each site writes through its own etcd API, all read it", r.write},
		{"the network between west and the others is cut", r.cut},
		{"both sides of the cut write, the same key among others", r.writeApart},
		{"the network heals", r.heal},
		{"a liar joins, with a grant for /liar/** only", r.admitLiar},
		{"the liar forks its history: one op to north, its rival to west", r.fork},
		{"to north it forges an op in the name of east", r.lie("forged signature", 0)},
		{"to east it sends an op of another mesh", r.lie("op of another mesh", 1)},
		{"to west it writes outside its grant", r.lie("write outside its grant", 2)},
		{"the sites go on writing", r.writeAfter},
	} {
		if err := r.step(ctx, s.title, s.do); err != nil {
			return Report{}, err
		}
	}
	return r.report(ctx)
}

// step runs one step within its time and tells the progress.
func (r *run) step(ctx context.Context, title string, do func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.StepTimeout)
	defer cancel()
	r.cfg.Progress.Begin(title)
	result, err := do(ctx)
	r.cfg.Progress.End(result, err)
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	return nil
}

// sites returns the sites that run.
func (r *run) sites() []*site {
	var all []*site
	for _, s := range []*site{r.north, r.east, r.west} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

func (r *run) close() error {
	var errs []error
	if r.liar != nil {
		errs = append(errs, r.liar.close())
	}
	for _, s := range r.sites() {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

func (r *run) dir(name string) string { return filepath.Join(r.cfg.Dir, name) }

func (r *run) found(ctx context.Context) (string, error) {
	mesh, err := node.Init(r.dir("north"), node.InitOptions{Name: "north"})
	if err != nil {
		return "", err
	}
	if r.north, err = open(ctx, "north", r.dir("north"), nil, r.cfg.Logger); err != nil {
		return "", err
	}
	return "mesh " + short(mesh.String()), nil
}

func (r *run) join(ctx context.Context) (string, error) {
	var err error
	if r.east, err = r.joined(ctx, "east", r.north); err != nil {
		return "", err
	}
	if r.west, err = r.joined(ctx, "west", r.north, r.east); err != nil {
		return "", err
	}
	return "3 sites, each a node with its own key, disk and etcd API", nil
}

// joined lets a new site join at the first of the peers and connect to all.
func (r *run) joined(ctx context.Context, name string, peers ...*site) (*site, error) {
	ticket, err := peers[0].invite(ctx, "**")
	if err != nil {
		return nil, err
	}
	if err := node.Join(ctx, r.dir(name), ticket, node.JoinOptions{Name: name}); err != nil {
		return nil, err
	}
	var addrs []string
	for _, p := range peers {
		addrs = append(addrs, p.node.PeerAddrs()...)
	}
	s, err := open(ctx, name, r.dir(name), addrs, r.cfg.Logger)
	if err != nil {
		return nil, err
	}
	select {
	case <-s.node.Ready():
		return s, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%s has not completed its first sync: %w", name, ctx.Err()), s.close())
	}
}

func (r *run) write(ctx context.Context) (string, error) {
	began := time.Now()
	for _, s := range r.sites() {
		if err := s.put(ctx, "/"+s.name+"/hello", "from "+s.name); err != nil {
			return "", err
		}
		for _, other := range r.sites() {
			if err := other.await(ctx, "/"+s.name+"/hello", "from "+s.name); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("9 reads, in %v", time.Since(began).Round(time.Millisecond)), nil
}

// setCut cuts west from the others, or mends that, at both ends.
func (r *run) setCut(cut bool) error {
	var errs []error
	for _, s := range []*site{r.north, r.east} {
		errs = append(errs, s.node.Cut(r.west.node.Key(), cut), r.west.node.Cut(s.node.Key(), cut))
	}
	return errors.Join(errs...)
}

func (r *run) cut(ctx context.Context) (string, error) {
	if err := r.setCut(true); err != nil {
		return "", err
	}
	for _, s := range []*site{r.north, r.east} {
		if err := s.awaitConnected(ctx, r.west, false); err != nil {
			return "", err
		}
	}
	return "north and east | west", nil
}

func (r *run) writeApart(ctx context.Context) (string, error) {
	for i := range writesPerSide {
		for _, s := range []*site{r.north, r.west} {
			if err := s.put(ctx, fmt.Sprintf("/%s/apart/%02d", s.name, i), "written apart"); err != nil {
				return "", err
			}
		}
	}
	if err := r.north.put(ctx, doorKey, "open"); err != nil {
		return "", err
	}
	if err := r.west.put(ctx, doorKey, "closed"); err != nil {
		return "", err
	}
	if err := r.east.await(ctx, doorKey, "open"); err != nil {
		return "", err
	}
	if err := r.west.await(ctx, doorKey, "closed"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d writes a side; the door is open at north and east, closed at west", writesPerSide+1), nil
}

func (r *run) heal(ctx context.Context) (string, error) {
	began := time.Now()
	if err := r.setCut(false); err != nil {
		return "", err
	}
	if err := r.agree(ctx); err != nil {
		return "", err
	}
	took := time.Since(began).Round(time.Millisecond)
	door, err := r.west.get(ctx, doorKey)
	if err != nil {
		return "", err
	}
	for _, key := range []string{"/north/apart/00", "/west/apart/00"} {
		for _, s := range r.sites() {
			if err := s.await(ctx, key, "written apart"); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("all hold all writes after %v; the door is %s everywhere", took, door), nil
}

func (r *run) writeAfter(ctx context.Context) (string, error) {
	if err := r.east.put(ctx, "/east/after", "still here"); err != nil {
		return "", err
	}
	for _, s := range r.sites() {
		if err := s.await(ctx, "/east/after", "still here"); err != nil {
			return "", err
		}
	}
	return "a put at east is read at all", r.agree(ctx)
}

// agree waits until the sites have equal heads and equal state.
func (r *run) agree(ctx context.Context) error {
	return until(ctx, "the sites agree", func() (bool, error) {
		all, err := r.statuses(ctx)
		return err == nil && sameState(all), err
	})
}

// pollEvery is how often a condition is looked at.
const pollEvery = 20 * time.Millisecond

// until waits for a condition, named by what, while ctx lasts.
func until(ctx context.Context, what string, met func() (bool, error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		ok, err := met()
		if err != nil && ctx.Err() == nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("in vain waited until %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}

// short returns the end of a long text form, where texts differ.
func short(s string) string {
	const n = 8
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
