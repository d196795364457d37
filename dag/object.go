package dag

import "bytes"

// Object reports whether a value is a Kubernetes object as an API server stores
// it, and its UID, empty if it has none or it cannot be read: in
// protobuf or JSON, with apiVersion, kind and metadata where docs/roster.md section 7
// has them; or encrypted. The UID is as it stands in the value. It is a pure
// function and takes time linear in the value.
func Object(value []byte) (uid string, ok bool) {
	e := envelope{uids: true}
	switch {
	case bytes.HasPrefix(value, []byte(kubeEncrypted)):
		return "", true
	case bytes.HasPrefix(value, []byte(kubeProtobuf)):
		ok = e.readProtobuf(value[len(kubeProtobuf):])
	case len(value) > 0 && value[0] == '{':
		ok = e.readJSON(value)
	}
	if !ok || e.apiVersion == nil || e.kind == nil || !e.metadata {
		return "", false
	}
	return string(e.uid), true
}
