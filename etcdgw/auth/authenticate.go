package auth

import (
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
)

// Authenticate returns a token for the user if the password is right. Errors:
// ErrGRPCAuthNotEnabled, ErrGRPCAuthFailed, ErrNoPasswordUser.
func (s *Store) Authenticate(name, password string) (string, error) {
	for {
		st := s.state.Load()
		if !st.enabled {
			return "", rpctypes.ErrGRPCAuthNotEnabled
		}
		u := st.users[name]
		if u == nil {
			s.log.Warn("auth: unknown user", "user", name)
			return "", rpctypes.ErrGRPCAuthFailed
		}
		if u.noPassword() {
			return "", ErrNoPasswordUser
		}
		// This takes tens of milliseconds, so no lock is held, and what was
		// checked may be old by now.
		if bcrypt.CompareHashAndPassword(u.Password, []byte(password)) != nil {
			s.log.Warn("auth: wrong password", "user", name)
			return "", rpctypes.ErrGRPCAuthFailed
		}
		if token, ok := s.assign(name, st.revision); ok {
			return token, nil
		}
	}
}

// assign gives a token to a user whose password was checked at a revision, false
// if users or roles have changed since.
func (s *Store) assign(name string, revision uint64) (string, bool) {
	s.mu.Lock() // no change meanwhile, so none ends the user's tokens before this one is there
	defer s.mu.Unlock()
	if st := s.state.Load(); !st.enabled || st.revision != revision {
		return "", false
	}
	return s.tokens.assign(name), true
}

// ByToken returns whose token it is; nobody if authentication is disabled.
// Error: ErrGRPCInvalidAuthToken.
func (s *Store) ByToken(token string) (Info, error) {
	st := s.state.Load()
	if !st.enabled {
		return Info{}, nil
	}
	name, ok := s.tokens.user(token)
	if !ok {
		return Info{}, rpctypes.ErrGRPCInvalidAuthToken
	}
	return Info{User: name, Revision: st.revision}, nil
}

// ByName returns the user of that name as of now, for one who has been
// authenticated by other means; whether it exists is found by the checks.
func (s *Store) ByName(name string) Info {
	return Info{User: name, Revision: s.Revision()}
}
