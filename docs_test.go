package causeway_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns every Markdown page of the repository with its text.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := make(map[string]string)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !d.IsDir() && filepath.Ext(p) == ".md" {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			docs[p] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w+)\(`)

// testNames returns the names of all tests in the tree, nested modules
// included, as folder.Name and as Name, and the scripts of the command line.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if p != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
		case strings.HasSuffix(p, "_test.go"):
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			for _, m := range testFunc.FindAllStringSubmatch(string(b), -1) {
				names[m[1]] = true
				names[filepath.ToSlash(filepath.Dir(p))+"."+m[1]] = true
			}
		case filepath.Ext(p) == ".txtar":
			names[d.Name()] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// citedTest is how a document names a test: TestX, folder.TestX or script.txtar.
const citedTest = "`((?:[\\w/]+\\.)?(?:Test|Fuzz|Benchmark|Example)\\w+|[\\w-]+\\.txtar)`"

// TestDocumentedTestsExist checks that a test which a document names is there:
// a claim whose test was renamed or removed is no claim.
func TestDocumentedTestsExist(t *testing.T) {
	names := testNames(t)
	for page, text := range documents(t) {
		for _, m := range regexp.MustCompile(citedTest).FindAllStringSubmatch(text, -1) {
			if !names[m[1]] {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
}

// TestSecurityClaims checks that each claim in SECURITY.md's tables names a test.
func TestSecurityClaims(t *testing.T) {
	text := documents(t)["SECURITY.md"]
	_, claims, ok := strings.Cut(text, "## What is promised")
	claims, _, ok2 := strings.Cut(claims, "\n## ")
	if !ok || !ok2 {
		t.Fatal("SECURITY.md has no section on what is promised")
	}
	rows := 0
	for line := range strings.Lines(claims) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| claim") {
			continue
		}
		rows++
		if !regexp.MustCompile(citedTest).MatchString(line) {
			t.Errorf("claim without a test: %s", line)
		}
	}
	if rows == 0 {
		t.Error("SECURITY.md makes no claim")
	}
}

// TestDependenciesExplained checks that CONTRIBUTING.md gives a reason for each
// direct dependency, and for no other.
func TestDependenciesExplained(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	required := regexp.MustCompile(`(?m)^(?:require )?\s*([\w.-]+\.[\w.-]+/\S+) v\S+( // indirect)?$`)
	for _, m := range required.FindAllStringSubmatch(string(mod), -1) {
		if m[2] == "" {
			direct = append(direct, m[1])
		}
	}
	if len(direct) == 0 {
		t.Fatal("found no direct dependency in go.mod")
	}
	var explained []string
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S")
	_, table, _ := strings.Cut(documents(t)["CONTRIBUTING.md"], "## Dependencies")
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		explained = append(explained, m[1])
	}
	for _, d := range direct {
		if !slices.Contains(explained, d) {
			t.Errorf("CONTRIBUTING.md gives no reason for %s", d)
		}
	}
	for _, e := range explained {
		if !slices.Contains(direct, e) {
			t.Errorf("CONTRIBUTING.md explains %s, which go.mod does not require directly", e)
		}
	}
}

// TestLinks checks that the relative links of the documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for page, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s: link %s leads nowhere", page, m[1])
			}
		}
	}
}

// TestDocsIndexed checks that the index of a folder of documents names each.
func TestDocsIndexed(t *testing.T) {
	docs := documents(t)
	for page := range docs {
		dir, name := filepath.Split(page)
		index, ok := docs[dir+"README.md"]
		if ok && dir != "" && name != "README.md" && !strings.Contains(index, "("+name+")") {
			t.Errorf("%sREADME.md does not name %s", dir, name)
		}
	}
}
