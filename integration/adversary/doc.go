// Package adversary is the catalogue of attacks: each is run, by its own test
// in its own file, on a mesh of real nodes, over real libp2p connections. The nodes are
// processes of the causeway command; the attackers live in the test, with keys
// that the mesh enrolled, and send whatever they like.
//
// While an attack goes on, clients write at every correct node. After it
//
//   - those writes were all answered, and go on;
//   - the correct nodes agree, heads and state, and none thinks ill of another;
//   - what the attack took of memory and disk is within the budget that its test states;
//   - the liar is named, in `causeway peers` and the metrics or by a fork proof, where
//     there is evidence; where there is none a metric shows that something goes on.
//
// By default the sizes are small; -full takes larger ones. Where a budget is
// stated for memory it is measured on Linux only.
package adversary
