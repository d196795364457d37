package profile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/etcdgw/kube/profile"
	"github.com/causeway-sync/causeway/identity"
)

// holding returns the rule that holds for a key.
func holding(rules []identity.PolicyRule, key string) (best identity.PolicyRule, found bool) {
	for _, r := range rules {
		if r.Pattern.Match([]byte(key)) && (!found || r.Priority > best.Priority) {
			best, found = r, true
		}
	}
	return best, found
}

// kept describes how rules keep a key: its mode, and its form's kind if any.
func kept(rules []identity.PolicyRule, key string) string {
	r, ok := holding(rules, key)
	switch {
	case !ok:
		return "-"
	case r.Form == nil:
		return r.Mode.String()
	}
	return r.Mode.String() + " " + r.Form.Kind
}

var admin = identity.StatementID{1: 7}

// TestRules goes through keys as kube-apiservers write them.
func TestRules(t *testing.T) {
	team := profile.Options{Replicate: []identity.Pattern{"/registry/*/team-a/**", "/registry/example.org/*/team-a/**"}}
	owned := team
	owned.Admin = &admin
	profiles := [4][]identity.PolicyRule{
		rules(t, profile.Shared, profile.Options{}),
		rules(t, profile.Shared, profile.Options{Admin: &admin}),
		rules(t, profile.Independent, team),
		rules(t, profile.Independent, owned),
	}
	for _, test := range []struct {
		key  string
		want [4]string // shared, shared with an admin, independent, independent with an admin
	}{
		// What is a site's own, in every profile.
		{"compact_rev_key", all("local")},
		{"/registry/health", all("local")},
		{"/registry/ranges/serviceips", all("local")},
		{"/registry/ranges/secondaryserviceips", all("local")},
		{"/registry/ranges/servicenodeports", all("local")},
		{"/registry/masterleases/192.0.2.1", all("local")},
		{"/registry/peerserverleases/apiserver-abc", all("local")},
		{"/registry/events/default/web.17", all("local")},
		{"/registry/events/team-a/web.17", all("local")},
		{"/registry/services/specs/default/kubernetes", all("local")},
		{"/registry/services/endpoints/default/kubernetes", all("local")},
		{"/registry/endpointslices/default/kubernetes", all("local")},
		{"/registry/ipaddresses/10.0.0.1", all("local")},
		{"/registry/servicecidrs/kubernetes", all("local")},
		{"/registry/apiregistration.k8s.io/apiservices/v1.apps", all("local")},
		{"/registry/storageversionmigrations/m", all("local")},

		// Their neighbours.
		{"/registry/services/specs/default/web", shared("merge Service")},
		{"/registry/services/specs/team-a/kubernetes", shared("merge Service")},
		{"/registry/services/endpoints/default/web", shared("merge Endpoints")},
		{"/registry/endpointslices/default/kubernetes-x", shared("merge EndpointSlice")},
		{"/registry/endpointslices/team-a/kubernetes", all("merge EndpointSlice")},

		// Leases: no two writes of one merge.
		{"/registry/leases/kube-node-lease/n1", shared("lww Lease")},
		{"/registry/leases/kube-system/kube-scheduler", shared("lww Lease")},
		{"/registry/leases/kube-system/apiserver-abc", shared("lww Lease")},
		{"/registry/leases/team-a/leader", all("lww Lease")},

		// Objects of namespaces, and of none.
		{"/registry/pods/default/web", shared("merge Pod")},
		{"/registry/pods/team-a/web", all("merge Pod")},
		{"/registry/secrets/team-a/s", all("merge Secret")},
		{"/registry/controllers/team-a/rc", all("merge ReplicationController")},
		{"/registry/ingress/team-a/i", all("merge Ingress")},
		{"/registry/namespaces/team-a", shared("merge Namespace")},
		{"/registry/persistentvolumes/pv", shared("merge PersistentVolume")},
		{"/registry/csinodes/n1", shared("merge CSINode")},
		{"/registry/pods/team-a/odd/depth", all("merge Pod")},
		{"/registry/pods/", shared("merge Pod")},
		{"/registry/pods", shared("merge")},

		// Whoever writes these administers clusters.
		{"/registry/clusterroles/admin", guarded("merge ClusterRole")},
		{"/registry/clusterrolebindings/b", guarded("merge ClusterRoleBinding")},
		{"/registry/mutatingwebhookconfigurations/w", guarded("merge MutatingWebhookConfiguration")},
		{"/registry/validatingadmissionpolicybindings/w", guarded("merge ValidatingAdmissionPolicyBinding")},
		{"/registry/apiextensions.k8s.io/customresourcedefinitions/x.example.org", guarded("merge CustomResourceDefinition")},
		{"/registry/roles/default/r", guarded("merge Role")},
		{"/registry/roles/team-a/r", [4]string{"merge Role", "owned Role", "local", "owned Role"}},
		{"/registry/rolebindings/team-a/r", [4]string{"merge RoleBinding", "owned RoleBinding", "local", "owned RoleBinding"}},
		{"/registry/minions/n1", shared("merge Node")},
		{"/registry/certificatesigningrequests/c", shared("merge CertificateSigningRequest")},

		// Custom resources and kinds without a stable version are of no form.
		{"/registry/example.org/widgets/default/w", shared("merge")},
		{"/registry/example.org/widgets/team-a/w", all("merge")},
		{"/registry/example.org/clusterwidgets/w", shared("merge")},
		{"/registry/workloads/default/w", shared("merge")},
		{"/registry/workloads/team-a/w", all("merge")},
		{"/registry/storageversions/apps.deployments", shared("merge")},

		// What is not below the root.
		{"/elsewhere", all("-")},
		{"/registryx/pods/default/web", all("-")},
		{"/registry", all("-")},
	} {
		for i, rules := range profiles {
			if got := kept(rules, test.key); got != test.want[i] {
				t.Errorf("%s: profile %d keeps it %q, want %q", test.key, i, got, test.want[i])
			}
		}
	}
}

// all is for what each of the profiles of TestRules keeps alike.
func all(kept string) [4]string { return [4]string{kept, kept, kept, kept} }

// shared is for what only the shared ones replicate.
func shared(kept string) [4]string { return [4]string{kept, kept, "local", "local"} }

// guarded is for what the admin of a shared one owns.
func guarded(kept string) [4]string {
	_, kind, _ := strings.Cut(kept, " ")
	return [4]string{kept, "owned " + kind, "local", "local"}
}

func rules(t *testing.T, name profile.Name, o profile.Options) []identity.PolicyRule {
	t.Helper()
	rules, err := profile.Rules(name, profile.DefaultRoot, o)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestIndependentKeepsGuardHome lets an operator replicate all of a namespace by
// a rule of its own, and an independent cluster replicate everything.
func TestIndependentKeepsGuardHome(t *testing.T) {
	r := rules(t, profile.Independent, profile.Options{Replicate: []identity.Pattern{"**"}})
	r = append(r, identity.PolicyRule{Pattern: "/registry/*/team-b/**", Priority: profile.PriorityReplicate + 50, Mode: identity.ModeMerge})
	for key, want := range map[string]string{
		"/registry/pods/team-b/p":  "merge Pod",
		"/registry/roles/team-b/r": "local",
		"/registry/minions/n1":     "local",
		"/registry/events/a/e":     "local",
		"/other":                   "-",
	} {
		if got := kept(r, key); got != want {
			t.Errorf("%s is kept %q, want %q", key, got, want)
		}
	}
}

func TestRulesOfRoots(t *testing.T) {
	for _, test := range []struct{ root, key string }{
		{"/registry", "/registry/pods/default/web"},
		{"registry/", "/registry/pods/default/web"},
		{"/clusters//a", "/clusters/a/pods/default/web"},
		{"/", "/pods/default/web"},
		{`/a*b\c`, `/a*b\c/pods/default/web`},
	} {
		rules, err := profile.Rules(profile.Shared, test.root, profile.Options{})
		if err != nil {
			t.Errorf("root %q: %v", test.root, err)
			continue
		}
		if got := kept(rules, test.key); got != "merge Pod" {
			t.Errorf("root %q: %s is kept %q", test.root, test.key, got)
		}
	}
}

func TestRulesRefused(t *testing.T) {
	long := identity.Pattern("/registry/" + strings.Repeat("x", identity.MaxPatternSize-12) + "/*")
	for _, test := range []struct {
		name  profile.Name
		root  string
		o     profile.Options
		cause error
	}{
		{"public", "/registry", profile.Options{}, profile.ErrName},
		{"", "/registry", profile.Options{Replicate: []identity.Pattern{"**"}}, profile.ErrName},
		{profile.Shared, "", profile.Options{}, profile.ErrRoot},
		{profile.Shared, strings.Repeat("x", identity.MaxPatternSize), profile.Options{}, profile.ErrRoot},
		{profile.Shared, strings.Repeat("x", identity.MaxPatternSize-5), profile.Options{}, profile.ErrPatterns},
		{profile.Shared, "/registry", profile.Options{Replicate: []identity.Pattern{"**"}}, profile.ErrPatterns},
		{profile.Independent, "/registry", profile.Options{}, profile.ErrPatterns},
		{profile.Independent, "/registry", profile.Options{Replicate: []identity.Pattern{"registry/**"}}, profile.ErrPatterns},
		{profile.Independent, "/registry", profile.Options{Replicate: []identity.Pattern{"/registry"}}, profile.ErrPatterns},
		{profile.Shared, "/registry", profile.Options{Local: []identity.Pattern{"/other/**"}}, profile.ErrPatterns},
		{profile.Shared, "/registry", profile.Options{Local: slices.Repeat([]identity.Pattern{long}, profile.MaxPatterns+1)}, profile.ErrPatterns},
	} {
		if _, err := profile.Policies(test.name, test.root, test.o); !errors.Is(err, test.cause) {
			t.Errorf("Policies(%q, %.20q, %d and %d patterns) = %v, want %v",
				test.name, test.root, len(test.o.Replicate), len(test.o.Local), err, test.cause)
		}
	}
}

// TestPoliciesFit signs the policies with as many keep heads as there may be.
func TestPoliciesFit(t *testing.T) {
	signer := identity.NewKeyFromSeed([32]byte{1})
	keep := make([][32]byte, identity.MaxKeep)
	for i := range keep {
		keep[i][0], keep[i][31] = byte(i), 0xff
	}
	var wide []identity.Pattern
	for i := range profile.MaxPatterns {
		wide = append(wide, identity.Pattern("/registry/*/"+strings.Repeat(string(rune('a'+i)), 253)+"/**"))
	}
	for _, test := range []struct {
		name profile.Name
		o    profile.Options
		most int // statements
	}{
		{profile.Shared, profile.Options{}, 1},
		{profile.Shared, profile.Options{Admin: &admin}, 1},
		{profile.Independent, profile.Options{Replicate: wide[:1]}, 3},
		{profile.Independent, profile.Options{Replicate: wide, Local: wide, Admin: &admin}, 64},
	} {
		policies, err := profile.Policies(test.name, profile.DefaultRoot, test.o)
		if err != nil {
			t.Fatal(err)
		}
		if len(policies) > test.most {
			t.Errorf("%s: %d statements, want at most %d", test.name, len(policies), test.most)
		}
		var joined []identity.PolicyRule
		for i, p := range policies {
			if name, ok := profile.Of(profile.DefaultRoot, p[0].Pattern); !ok || name != test.name {
				t.Errorf("%s: policy %d is marked as %q, %v", test.name, i, name, ok)
			}
			joined = append(joined, p[1:]...)
			_, err := identity.SignStatement(identity.Statement{
				Mesh: &[32]byte{}, Issuer: signer.Public(), Seq: 1,
				Content: identity.Policy{Rules: p, Keep: keep},
			}, signer)
			if err != nil {
				t.Errorf("%s: policy %d of %d rules: %v", test.name, i, len(p), err)
			}
		}
		if diff := cmp.Diff(rules(t, test.name, test.o), joined); diff != "" {
			t.Errorf("%s: the policies differ from the rules (-rules +policies):\n%s", test.name, diff)
		}
	}
}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		root  string
		first identity.Pattern
		want  profile.Name
	}{
		{"/registry", "/registry/causeway.profile/shared", profile.Shared},
		{"registry/", "/registry/causeway.profile/independent", profile.Independent},
		{"/other", "/registry/causeway.profile/shared", ""},
		{"/registry", "/registry/causeway.profile/other", ""},
		{"/registry", "/registry/pods/**", ""},
		{"", "causeway.profile/shared", ""},
	} {
		if got, ok := profile.Of(test.root, test.first); got != test.want || ok != (test.want != "") {
			t.Errorf("Of(%q, %q) = %q, %v; want %q", test.root, test.first, got, ok, test.want)
		}
	}
}
