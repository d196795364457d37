package profile

import (
	"strings"

	"github.com/causeway-sync/causeway/identity"
)

// meet returns the pattern of the keys that two well-formed patterns both
// match, and whether there are any.
func meet(a, b identity.Pattern) (identity.Pattern, bool) {
	as, bs := strings.Split(string(a), "/"), strings.Split(string(b), "/")
	var both []string
	for len(as) > 0 && len(bs) > 0 {
		switch x, y := as[0], bs[0]; {
		case x == "**" && len(as) == 1:
			return join(both, bs), true
		case y == "**" && len(bs) == 1:
			return join(both, as), true
		case x == "*":
			both = append(both, y)
		case y == "*" || x == y:
			both = append(both, x)
		default:
			return "", false
		}
		as, bs = as[1:], bs[1:]
	}
	return join(both, nil), len(as) == 0 && len(bs) == 0
}

func join(head, tail []string) identity.Pattern {
	return identity.Pattern(strings.Join(append(head, tail...), "/"))
}
