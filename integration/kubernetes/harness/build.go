package harness

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// version is the Kubernetes version of go.mod. A release build stamps it into
// the programs; a build from the module has to be told.
const version = "v1.36.3"

// Environment variables that name programs built elsewhere. Each is optional.
const (
	// CausewayEnv is the path of a causeway binary.
	CausewayEnv = "CAUSEWAY_BINARY"
	// EtcdEnv is the path of an etcd binary.
	EtcdEnv = "ETCD_BINARY"
	// KubernetesEnv is a directory with kube-apiserver,
	// kube-controller-manager and kube-scheduler.
	KubernetesEnv = "KUBERNETES_BINARIES"
)

// moduleDir is the root of this module, repositoryDir that of the repository.
var (
	moduleDir     = filepath.Dir(filepath.Dir(sourceFile()))
	repositoryDir = filepath.Dir(filepath.Dir(moduleDir))
)

func sourceFile() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("harness: built without source positions")
	}
	return file
}

// outDir is where binaries are put. It outlives the test so that the linker
// runs again only for what has changed.
func outDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "causeway-integration-kubernetes")
	return dir, os.MkdirAll(dir, 0o755)
}

var buildCauseway = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv(CausewayEnv); bin != "" {
		return bin, nil
	}
	dir, err := build(repositoryDir, nil, "./cmd/causeway", fmt.Sprintf("%x", sha256.Sum256([]byte(repositoryDir)))[:8])
	return filepath.Join(dir, "causeway"), err
})

// buildEtcd builds the etcd server that the rest of the repository compares
// with. The program of its module is called server.
var buildEtcd = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv(EtcdEnv); bin != "" {
		return bin, nil
	}
	dir, err := build(filepath.Join(repositoryDir, "integration", "reference"), nil, "go.etcd.io/etcd/server/v3", "")
	return filepath.Join(dir, "server"), err
})

var buildKubernetes = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(KubernetesEnv); dir != "" {
		return dir, nil
	}
	stamp := "-s -w"
	for name, value := range map[string]string{"gitVersion": version, "gitMajor": "1", "gitMinor": "36"} {
		stamp += fmt.Sprintf(" -X k8s.io/component-base/version.%s=%s", name, value)
	}
	return build(moduleDir, []string{"-ldflags", stamp}, "tool", "")
})

// build compiles what of the module in dir and returns the directory of the
// binaries. What is not the same in each clone of the repository has a folder of the clone's.
func build(dir string, flags []string, what, clone string) (string, error) {
	out, err := outDir()
	if err != nil {
		return "", err
	}
	out = filepath.Join(out, clone)
	args := append([]string{"build", "-C", dir, "-o", out + string(filepath.Separator)}, flags...)
	if msg, err := exec.Command("go", append(args, what)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s in %s: %w\n%s", what, dir, err, msg)
	}
	return out, nil
}

// program returns a built program's path or ends the test.
func program(t testing.TB, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
