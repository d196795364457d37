package auth

import (
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// TestAuthenticateDuringChange checks that no token is had by a password that
// was changed meanwhile, whichever comes first.
func TestAuthenticateDuringChange(t *testing.T) {
	s, _ := filled(t)
	root := s.ByName("root")
	if err := s.UserAdd(root, &pb.AuthUserAddRequest{Name: "u", Password: "old"}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var wg sync.WaitGroup
		tokens := make(chan string, 4)
		for range cap(tokens) {
			wg.Go(func() {
				token, err := s.Authenticate("u", "old")
				if err == nil {
					tokens <- token
				} else if err != rpctypes.ErrGRPCAuthFailed {
					t.Errorf("Authenticate = %v", err)
				}
			})
		}
		if err := s.UserChangePassword(s.ByName("root"), &pb.AuthUserChangePasswordRequest{Name: "u", Password: "new"}); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		close(tokens)
		for token := range tokens {
			if by, err := s.ByToken(token); err != rpctypes.ErrGRPCInvalidAuthToken {
				t.Fatalf("a token of the old password is %v's, %v", by, err)
			}
		}
		if err := s.UserChangePassword(s.ByName("root"), &pb.AuthUserChangePasswordRequest{Name: "u", Password: "old"}); err != nil {
			t.Fatal(err)
		}
	}
}
