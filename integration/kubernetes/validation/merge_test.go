package validation

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

var (
	merges = flag.Int("merges", 60, "merges drawn for each kind")
	seed   = flag.Int64("seed", 1, "seed of what is drawn")
	only   = flag.String("kind", "", "only this kind")
)

// TestMergesValidate: of two edits that Kubernetes accepts of one object, the
// merge is an object that it accepts but for the contradictions listed: as what
// the object may become ("from base"), as one that is created ("anew") and,
// without which no later write would succeed, in an update that changes nothing
// ("update", and "status" of that subresource).
func TestMergesValidate(t *testing.T) {
	m := startMerger(t)
	for i, k := range kinds() {
		if *only != "" && k.Kind != *only {
			continue
		}
		t.Run(k.Kind, func(t *testing.T) {
			c := &checked{T: t, kind: k, merger: m, drawer: drawer{rand.New(rand.NewSource(*seed + int64(i)<<32))},
				invalid: make(map[string]int), example: make(map[string]string)}
			c.run()
		})
	}
}

// checked are merges of a kind.
type checked struct {
	*testing.T
	kind
	drawer
	merger   *merger
	examples []map[string]any
	drawn    int // edits that were drawn, for those that were accepted
	whole    int // merges that are one of the edits
	invalid  map[string]int
	example  map[string]string
}

func (c *checked) run() {
	c.examples = c.kind.examples(c.T)
	var accepted []map[string]any
	for i, e := range c.examples {
		o, err := c.create(e)
		if err != nil {
			c.Errorf("example %d: %v", i, err)
			continue
		}
		accepted = append(accepted, c.fields(c.T, o))
	}
	if c.Failed() {
		return
	}
	c.examples = accepted
	for range *merges {
		base := c.base()
		var focus []string
		if c.r.Intn(2) == 0 {
			focus = c.focus(c.fields(c.T, base))
		}
		one, other := c.edit(base, focus), c.edit(base, focus)
		c.check(base, one, other)
	}
	c.Logf("%d merges, %d of them one edit whole; of %d edits drawn %d were valid", *merges, c.whole, c.drawn, 2**merges)
	for _, class := range slices.Sorted(maps.Keys(c.invalid)) {
		known := slices.ContainsFunc(contradictions, func(d contradiction) bool {
			return (d.kind == "" || d.kind == c.Kind) && regexp.MustCompile("^(update: |from base: |anew: |status: )?"+d.class+"$").MatchString(class)
		})
		if known {
			c.Logf("%d times %s, as %s", c.invalid[class], class, c.example[class])
			continue
		}
		c.Errorf("%d times %s, as %s; replay with -seed %d -merges %d -kind %s -v", c.invalid[class], class, c.example[class], *seed, *merges, c.Kind)
	}
}

// context is that of a request.
func (c *checked) context() context.Context {
	ctx := request.NewContext()
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{APIGroup: c.Group, APIVersion: c.Version})
	if c.NamespaceScoped() {
		return request.WithNamespace(ctx, "team-a")
	}
	return request.WithNamespace(ctx, "")
}

// create makes an object as a POST and, for what that does not set, further requests.
func (c *checked) create(tree map[string]any) (runtime.Object, error) {
	o, err := c.typed(tree)
	if err != nil {
		return nil, err
	}
	setRevision(o, "")
	if err := rest.BeforeCreate(c.strategy, c.context(), o); err != nil {
		return nil, err
	}
	m, err := meta.Accessor(o)
	if err != nil {
		return nil, err
	}
	m.SetUID("9a2f")
	m.SetResourceVersion("1")
	for part, s := range c.parts {
		if tree[part] == nil {
			continue
		}
		next := c.fields(c.T, o)
		next[part] = tree[part]
		n, err := c.typed(next)
		if err != nil {
			return nil, err
		}
		if err := rest.BeforeUpdate(s, c.context(), n, o); err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
		o = n
	}
	return o, nil
}

// base draws an object: an example, or one that became of an example.
func (c *checked) base() runtime.Object {
	o, err := c.typed(c.examples[c.r.Intn(len(c.examples))])
	if err != nil {
		c.Fatal(err)
	}
	for range c.r.Intn(3) {
		o = c.edit(o, nil)
	}
	return c.again(o)
}

// again is an object as it is read after it was stored: what is empty is absent.
func (c *checked) again(o runtime.Object) runtime.Object {
	read, err := object(c.stored(c.T, o))
	if err != nil {
		c.Fatal(err)
	}
	return read
}

// edit draws an edit that Kubernetes accepts, if there is one in focus there.
func (c *checked) edit(base runtime.Object, focus []string) runtime.Object {
	tree := c.fields(c.T, base)
	names := slices.Sorted(maps.Keys(c.parts))
	for try := range 10000 {
		c.drawn++
		part, s := "", rest.RESTUpdateStrategy(c.strategy)
		if try == 50 {
			focus = nil
		}
		if len(focus) > 0 && c.parts[focus[0]] != nil || len(focus) == 0 && len(names) > 0 && c.r.Intn(4) == 0 {
			part = names[0]
			s = c.parts[part]
		}
		o, err := c.typed(c.edited(tree, c.examples, part, names, focus))
		if err != nil || c.update(s, o, base) != nil || equal(c.fields(c.T, o), tree) {
			continue
		}
		return o
	}
	c.Fatal("no valid edit in 10000")
	return nil
}

// update is a PUT.
func (c *checked) update(s rest.RESTUpdateStrategy, o, old runtime.Object) (err error) {
	defer func() {
		if r := recover(); r != nil { // validation may panic on what conversion would not make
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return rest.BeforeUpdate(s, c.context(), o, old.DeepCopyObject())
}

// check validates the merge of two edits.
func (c *checked) check(base, one, other runtime.Object) {
	a, b := c.stored(c.T, one), c.stored(c.T, other)
	answer := c.merger.merge(c.T, c.stored(c.T, base), a, b)
	if answer.Error != "" {
		c.Fatal(answer.Error)
	}
	if !answer.Merged {
		c.whole++
	}
	merged, err := object(answer.Value)
	if err != nil {
		c.Fatalf("the merge does not decode: %v\n%s\n%s", err, a, b)
	}
	c.report("update: ", c.update(c.strategy, merged.DeepCopyObject(), merged), base, one, other, merged)
	for part, s := range c.parts {
		c.report(part+": ", c.update(s, merged.DeepCopyObject(), merged), base, one, other, merged)
	}
	c.report("from base: ", c.update(c.strategy, merged.DeepCopyObject(), base), base, one, other, merged)
	// What either edit would not be created with, the merge need not be.
	known := append(c.strategy.Validate(c.context(), one.DeepCopyObject()), c.strategy.Validate(c.context(), other.DeepCopyObject())...)
	for _, e := range c.strategy.Validate(c.context(), merged.DeepCopyObject()) {
		if !slices.ContainsFunc(known, func(k *field.Error) bool { return class(k) == class(e) }) {
			c.reportField("anew: ", e, base, one, other, merged)
		}
	}
}

func (c *checked) report(what string, err error, objects ...runtime.Object) {
	if err == nil {
		return
	}
	status, ok := err.(*apierrors.StatusError)
	if !ok || status.ErrStatus.Details == nil || len(status.ErrStatus.Details.Causes) == 0 {
		c.reportClass(what+err.Error(), err.Error(), objects)
		return
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		c.reportClass(what+indexes.ReplaceAllString(cause.Field, "[]")+": "+string(cause.Type), cause.Message, objects)
	}
}

func (c *checked) reportField(what string, e *field.Error, objects ...runtime.Object) {
	c.reportClass(what+class(e), e.Error(), objects)
}

func (c *checked) reportClass(class, message string, objects []runtime.Object) {
	c.invalid[class]++
	if c.example[class] != "" {
		return
	}
	c.example[class] = message
	if testing.Verbose() && *only != "" {
		for i, name := range []string{"base", "one", "other", "merge"} {
			b, _ := json.Marshal(c.fields(c.T, objects[i]))
			c.example[class] += fmt.Sprintf("\n      %s: %s", name, b)
		}
	}
}

var indexes = regexp.MustCompile(`\[[^]]*\]`)

// class names an error without what is particular to one object.
func class(e *field.Error) string {
	return indexes.ReplaceAllString(e.Field, "[]") + ": " + string(e.Type)
}

// merger is the running program of integration/merge.
type merger struct {
	in  *json.Encoder
	out *json.Decoder
}

type answer struct {
	Value     []byte
	Merged    bool
	Conflicts int
	Error     string
}

func startMerger(t *testing.T) *merger {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "merge")
	build := exec.Command("go", "build", "-C", "../../..", "-o", bin, "./integration/merge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var msg strings.Builder
	cmd.Stderr = &msg
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("merge: %v\n%s", err, &msg)
		}
	})
	return &merger{in: json.NewEncoder(in), out: json.NewDecoder(bufio.NewReader(out))}
}

func (m *merger) merge(t *testing.T, base []byte, edits ...[]byte) answer {
	t.Helper()
	if err := m.in.Encode(map[string]any{"base": base, "edits": edits}); err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := m.out.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}
