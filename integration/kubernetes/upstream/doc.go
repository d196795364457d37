// Package upstream stands in for what the tests of k8s.io/apiserver's packages
// storage/etcd3 and storage/cacher start as their etcd, so that they run,
// otherwise unchanged, on a store of [harness]. TestStorage compiles them with
// the imports of three packages exchanged for those below this one.
package upstream

import "github.com/causeway-sync/causeway/integration/kubernetes/harness"

// StoreEnv names the environment variable that says what the tests run on: one
// of the names in [Stores].
const StoreEnv = "STORAGE_TEST_STORE"

// Stores are what tests can run on: a Causeway node that founded its mesh, the
// same over TLS, one that joined, an etcd, or an etcd that was in use before.
var Stores = map[string]harness.NewStore{
	"founder": harness.NewCauseway,
	"secured": harness.NewSecured,
	"joined":  harness.NewJoined,
	"etcd":    harness.NewEtcd,
	"aged":    harness.NewAgedEtcd,
}
