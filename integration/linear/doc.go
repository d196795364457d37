// Package linear checks that the clients of one node see it as one register per
// key, whatever happens: concurrent clients, kill -9, and writes of another
// node that are merged meanwhile, to other keys and to the same ones.
//
// Histories are checked with porcupine against the model in model.go. What
// porcupine cannot see, since it looks at one key at a time, is checked beside:
// the revision in the answers never goes back in real time, over all keys
// and all lives of the node, and every writing transaction has a revision of its own.
//
//	go test ./integration/linear -v -linear.lives 20
package linear
