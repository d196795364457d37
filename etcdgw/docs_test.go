package etcdgw

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocs checks that the tests which docs/etcd.md names exist.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/etcd.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	for _, pattern := range []string{"*_test.go", "mvcc/*_test.go", "../node/*_test.go", "../node/commit/*_test.go", "../integration/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test\\w+)[`/]").FindAllSubmatch(page, -1)
	if len(named) == 0 {
		t.Fatal("docs/etcd.md names no test")
	}
	for _, m := range named {
		if !tests[string(m[1])] {
			t.Errorf("docs/etcd.md names %s, which does not exist", m[1])
		}
	}
}
