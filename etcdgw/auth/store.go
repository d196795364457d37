package auth

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
)

// Storage keeps one encoded state. It is called by one goroutine at a time.
type Storage interface {
	// LoadAuth returns what was saved last, nil if nothing was.
	LoadAuth() ([]byte, error)
	// SaveAuth replaces what is kept, durably and as a whole: after a crash
	// LoadAuth returns either what was saved before or b. It does not keep b.
	SaveAuth(b []byte) error
}

// Config configures a [Store]. The zero value of a field is its default.
type Config struct {
	// Storage keeps the state. nil: it lives as long as the Store.
	Storage Storage
	// BcryptCost is the cost of hashing passwords, from bcrypt.MinCost (4) to
	// bcrypt.MaxCost (31). Default: bcrypt.DefaultCost (10), as etcd's.
	BcryptCost int
	// TokenTTL is how long a token lasts after its last use. Default: DefaultTokenTTL.
	TokenTTL time.Duration
	// Now is the clock of the tokens. Default: time.Now.
	Now func() time.Time
	// Logger is told of changes, and of passwords that were wrong. Default: none.
	Logger *slog.Logger
}

// Store holds users, roles and tokens. Its methods are safe for concurrent use.
type Store struct {
	storage Storage
	cost    int
	log     *slog.Logger
	tokens  tokens

	mu    sync.Mutex            // held by a change
	state atomic.Pointer[state] // the one shown
}

// Open reads the saved state. Errors wrap ErrConfig, ErrCorrupt or are the
// storage's.
func Open(cfg Config) (*Store, error) {
	switch {
	case cfg.BcryptCost == 0:
		cfg.BcryptCost = bcrypt.DefaultCost
	case cfg.BcryptCost < bcrypt.MinCost || cfg.BcryptCost > bcrypt.MaxCost:
		return nil, fmt.Errorf("%w: bcrypt cost %d is not between %d and %d", ErrConfig, cfg.BcryptCost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	if cfg.TokenTTL < 0 {
		return nil, fmt.Errorf("%w: token TTL %v is negative", ErrConfig, cfg.TokenTTL)
	}
	if cfg.TokenTTL == 0 {
		cfg.TokenTTL = DefaultTokenTTL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		storage: cfg.Storage, cost: cfg.BcryptCost, log: cfg.Logger,
		tokens: tokens{ttl: cfg.TokenTTL, now: cfg.Now, byToken: make(map[string]*token)},
	}
	st := newState()
	if s.storage != nil {
		b, err := s.storage.LoadAuth()
		if err != nil {
			return nil, fmt.Errorf("auth: load: %w", err)
		}
		if b != nil {
			if st, err = decodeState(b); err != nil {
				return nil, err
			}
		}
	}
	s.state.Store(st)
	return s, nil
}

// Enabled reports whether authentication is enabled.
func (s *Store) Enabled() bool { return s.state.Load().enabled }

// Revision returns the revision of users and roles: 1 at first, and 1 more with
// each change but that of enabling.
func (s *Store) Revision() uint64 { return s.state.Load().revision }

// Status returns both, of one moment.
func (s *Store) Status() (enabled bool, revision uint64) {
	st := s.state.Load()
	return st.enabled, st.revision
}

// Snapshot returns a copy of the state, users and roles by name, for an export.
func (s *Store) Snapshot() (enabled bool, revision uint64, users []*authpb.User, roles []*authpb.Role) {
	st := s.state.Load()
	for _, name := range slices.Sorted(maps.Keys(st.users)) {
		users = append(users, cloneOf(st.users[name].User))
	}
	for _, name := range slices.Sorted(maps.Keys(st.roles)) {
		roles = append(roles, cloneOf(st.roles[name]))
	}
	return st.enabled, st.revision, users, roles
}

// change lets f change a copy of the state, saves it and shows it. If f reports
// no change (false) or an error nothing happens. Only a user with the role root
// may change anything while authentication is enabled. A change ends the tokens
// of the users named, and all tokens if it disables authentication.
func (s *Store) change(by Info, f func(next *state) (bool, error), ended ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state.Load()
	if err := st.admin(by); err != nil {
		return err
	}
	next := st.next()
	changed, err := f(next)
	if err != nil || !changed {
		return err
	}
	next.refresh()
	if s.storage != nil {
		b, err := next.encode()
		if err != nil {
			return err
		}
		if err := s.storage.SaveAuth(b); err != nil {
			return fmt.Errorf("auth: save: %w", err)
		}
	}
	s.state.Store(next)
	for _, name := range ended {
		s.tokens.revoke(name)
	}
	if !next.enabled {
		s.tokens.revokeAll()
	}
	return nil
}

// Enable enables authentication. It needs a user root with the role root.
// Errors: those of [Store.CheckAdmin], ErrGRPCRootUserNotExist,
// ErrGRPCRootRoleNotExist.
func (s *Store) Enable(by Info) error {
	return s.change(by, func(next *state) (bool, error) {
		if next.enabled {
			return false, nil
		}
		root := next.users[rootName]
		if root == nil {
			return false, rpctypes.ErrGRPCRootUserNotExist
		}
		if !root.root {
			return false, rpctypes.ErrGRPCRootRoleNotExist
		}
		next.enabled = true
		return true, nil
	})
}

// Disable disables authentication and ends all tokens. Users and roles stay.
func (s *Store) Disable(by Info) error {
	return s.change(by, func(next *state) (bool, error) {
		if !next.enabled {
			return false, nil
		}
		next.enabled = false
		next.revision++
		return true, nil
	})
}
