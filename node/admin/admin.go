// Package admin is the node's administrative interface: HTTP with JSON bodies
// over a unix socket in the node's data directory, the server and the client.
//
// Whoever may open the socket may ask everything it offers: there is no further
// authentication. The socket has mode 0600, and the server moreover asks the
// kernel who connected and turns away every user but its own and root. It is
// reachable from no network. Nothing secret passes through it: statements are
// signed by the client, which has the operator's key; the node says what they
// must name, what they would change, and carries them.
//
// The paths carry a version; within /v0 fields are added, never changed or
// removed:
//
//	GET /v0/status                        Status
//	GET /v0/peers                         {"peers": [Peer…]}
//	GET /v0/invite-site?issuer=ed25519:…  InviteSite
//	GET /v0/dag/heads                     {"ops": [Op…]}
//	GET /v0/dag/log?limit=N               {"ops": [Op…]}, children before their parents
//	GET /v0/dag/before/{id}?limit=N       {"ops": [Op…]}, of that op and its past
//	GET /v0/dag/ops/{id}                  OpDetail
//	GET /v0/dag/export                    a CAR file (docs/export.md)
//	GET /v0/forks                         {"forked": [ForkedAuthor…]}
//	GET /v0/fork-proof?author=ed25519:…   ForkProof
//	GET /v0/roster                        Roster
//	GET /v0/issuer?key=ed25519:…          Issuer
//	GET /v0/policy?key=<base64url>        Explanation
//	POST /v0/statements                   StatementsRequest; Carried
//	POST /v0/statements/preview           StatementsRequest; Preview
//	POST /v0/rotate                       Rotated
//
// A failed request answers {"error": {"code", "message"}}; the client turns
// the code back into the sentinel errors of this package.
//
// Requests, answers and the number of requests at work are bounded, see
// limits.go. The interface is for people and their scripts, not for the data
// path: an answer about the DAG may walk all of it.
//
// Its user's page is docs/admin.md.
package admin
