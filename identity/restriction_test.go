package identity

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// goldenRestrictions are golden statements of the kinds that take away, and of
// those that go with them.
func goldenRestrictions() []namedDraft {
	node := testKey("node").Public()
	keep := [][32]byte{{0: 1}, {0: 2}}
	rotate := Rotate{Enrolment: testFirst, Index: 3, Key: testKey("new node").Public()}
	rotate.Consent = SignRotationConsent(testMesh, rotate.Enrolment, rotate.Index, testKey("new node"))
	form := &Form{Kind: "Deployment", Versions: []string{"apps/v1", "apps/v1beta2"}}
	return []namedDraft{
		{"policy of three rules", Statement{Mesh: &testMesh, As: &testFirst, Seq: 4, Prev: &testPrev, Supersedes: []StatementID{testSecond},
			Content: Policy{Keep: keep, Rules: []PolicyRule{
				{Pattern: "/a/**", Priority: 10, Mode: ModeLocal},
				{Pattern: "/a/**", Priority: 10, Mode: ModeOwned, Owner: &testSecond},
				{Pattern: "/b/*", Priority: dagcbor.MaxUint, Mode: ModeLWW, Form: form},
			}}}, "operator"},
		{"revoke, keeping nothing", Statement{Mesh: &testMesh, Seq: 1, Content: Revoke{Subject: testFirst}}, "founder"},
		{"revoke of a key", Statement{Mesh: &testMesh, As: &testFirst, Seq: 2, Prev: &testPrev, Supersedes: []StatementID{testFirst, testSecond},
			Content: Revoke{Subject: testSecond, Key: &node, Keep: keep}}, "operator"},
		{"narrow", Statement{Mesh: &testMesh, As: &testFirst, Seq: 3, Prev: &testPrev,
			Content: Narrow{Operator: testSecond, Role: RoleWriter, Patterns: []Pattern{"/a/**"}, Nodes: 2, Keep: keep[1:]}}, "operator"},
		{"rotate", Statement{Mesh: &testMesh, Seq: 1, Content: rotate}, "node"},
		{"quota", Statement{Mesh: &testMesh, As: &testFirst, Seq: 5, Prev: &testPrev, Supersedes: []StatementID{testFirst},
			Content: Quota{Subject: testSecond, Bytes: 1 << 30}}, "operator"},
		{"version", Statement{Mesh: &testMesh, Seq: 6, Prev: &testPrev, Content: Version{Version: 1}}, "founder"},
		{"readmit", Statement{Mesh: &testMesh, As: &testFirst, Seq: 7, Prev: &testPrev, Supersedes: []StatementID{testSecond}, Content: Readmit{}}, "operator"},
		{"endorse", Statement{Mesh: &testMesh, Seq: 1, Content: Endorse{Statement: testFirst}}, "founder"},
	}
}

// refuseRestrictions makes the refusal vectors of these kinds.
func refuseRestrictions(change func(name string, want error, s Statement, f func(*Statement))) {
	one := func(name string, want error, c Content) {
		change(name, want, Statement{Mesh: &testMesh, As: &testFirst, Seq: 1, Content: c}, func(*Statement) {})
	}
	node, small := testKey("node").Public(), PublicKey{0: 1}
	voted := func(name string, want error, c Content) {
		change(name, want, Statement{Mesh: &testMesh, Seq: 1, Content: c}, func(*Statement) {})
	}
	one("found as an operator", ErrStatementMesh, Found{Threshold: 1, Founders: sortedKeys("a")})
	change("found in its own op, as an operator", ErrStatementAs, Statement{As: &testFirst, Seq: 1, Content: Found{Threshold: 1, Founders: sortedKeys("a")}}, func(*Statement) {})
	one("redeem as an operator", ErrStatementAs, Redeem{Name: "n", Keys: sortedKeys("a")})
	one("rotate as an operator", ErrStatementAs, Rotate{Index: 1, Key: node})
	one("version as an operator", ErrStatementAs, Version{})
	one("endorse as an operator", ErrStatementAs, Endorse{})
	voted("enrol as nobody", ErrStatementAs, Enrol{Node: node})
	change("rotate in the founding op", ErrStatementMesh, Statement{Seq: 1, Content: Rotate{Index: 1, Key: node}}, func(*Statement) {})
	one("256 rotations", ErrStatementNumber, Enrol{Node: node, Rotations: MaxRotations + 1})
	voted("rotate to index 0", ErrStatementNumber, Rotate{Index: 0, Key: node})
	voted("rotate to index 256", ErrStatementNumber, Rotate{Index: MaxRotations + 1, Key: node})
	voted("rotate to a key of small order", ErrKeySmallOrder, Rotate{Index: 1, Key: small})
	one("readmit that supersedes nothing", ErrStatementCount, Readmit{})
	change("admit that supersedes", ErrStatementCount, Statement{Mesh: &testMesh, Seq: 1, Supersedes: []StatementID{testFirst},
		Content: Admit{Name: "n", Keys: sortedKeys("a"), Grant: Grant{Role: RoleReader}}}, func(*Statement) {})
	one("keep heads not ascending", ErrStatementOrder, Revoke{Keep: [][32]byte{{2}, {1}}})
	one("a keep head twice", ErrStatementOrder, Policy{Rules: []PolicyRule{rule("a", 0, ModeLWW)}, Keep: [][32]byte{{1}, {1}}})
	one("129 keep heads", dagcbor.ErrTooLong, Narrow{Role: RoleReader, Keep: make([][32]byte, MaxKeep+1)})
	one("narrow to role 4", ErrStatementRole, Narrow{Role: 4})
	one("narrow to 33 patterns", dagcbor.ErrTooLong, Narrow{Role: RoleReader, Patterns: slices.Repeat([]Pattern{"a"}, MaxPatterns+1)})
	one("revoke of a key of small order", ErrKeySmallOrder, Revoke{Key: &small})
	with := func(name string, want error, r PolicyRule) { one(name, want, Policy{Rules: []PolicyRule{r}}) }
	with("owned by nobody", ErrStatementMode, PolicyRule{Pattern: "a", Mode: ModeOwned})
	with("lww with an owner", ErrStatementMode, PolicyRule{Pattern: "a", Mode: ModeLWW, Owner: &testFirst})
	with("form of no kind", ErrStatementForm, PolicyRule{Pattern: "a", Mode: ModeLWW, Form: &Form{Versions: []string{"v1"}}})
	with("form with an empty version", ErrStatementForm, PolicyRule{Pattern: "a", Mode: ModeLWW, Form: &Form{Kind: "Pod", Versions: []string{""}}})
	with("form of no version", ErrStatementCount, PolicyRule{Pattern: "a", Mode: ModeLWW, Form: &Form{Kind: "Pod"}})
	with("form of 9 versions", dagcbor.ErrTooLong, PolicyRule{Pattern: "a", Mode: ModeLWW, Form: &Form{Kind: "Pod", Versions: slices.Repeat([]string{"v1"}, MaxVersions+1)}})
	with("form of a kind of 129 bytes", dagcbor.ErrTooLong, PolicyRule{Pattern: "a", Mode: ModeLWW, Form: &Form{Kind: strings.Repeat("k", MaxFormSize+1), Versions: []string{"v1"}}})
}

func TestKeepHeads(t *testing.T) {
	keep := [][32]byte{{1}}
	for _, v := range []struct {
		c    Content
		want int
	}{
		{Policy{Keep: keep}, 1}, {Revoke{Keep: keep}, 1}, {Narrow{Keep: keep}, 1}, {Quota{}, 0}, {Admit{}, 0},
	} {
		if got := (&Statement{Content: v.c}).KeepHeads(); len(got) != v.want {
			t.Errorf("KeepHeads of %T = %v, want %d", v.c, got, v.want)
		}
	}
	if got, want := fmt.Sprint(KindRevoke, KindNarrow, KindRotate, KindQuota, KindVersion, Kind(12), KindReadmit, KindEndorse),
		"revoke narrow rotate quota version seal readmit endorse"; got != want {
		t.Errorf("names are %q, want %q", got, want)
	}
}
