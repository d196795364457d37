package etcdgw

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/version"
)

// clientHandler serves HTTP on the client URLs: the pages, and below /v3/ the
// JSON gateway.
func (s *Server) clientHandler() http.Handler {
	mux := http.NewServeMux()
	if s.json != nil {
		mux.Handle("/v3/", s.jsonHandler())
	}
	mux.Handle("/", s.pagesHandler())
	return s.accessControl(mux)
}

// pagesHandler serves /health, /livez, /readyz, /version and /metrics as etcd
// does.
func (s *Server) pagesHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", s.serveHealth)
	mux.HandleFunc("/version", s.serveVersion)
	mux.Handle("/metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{}))
	if s.cfg.EnablePprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	read := check{"serializable_read", s.checkRead}
	s.installChecks(mux, "livez", []check{read})
	s.installChecks(mux, "readyz", []check{
		{"data_corruption", s.checkCorrupt},
		{"linearizable_read", s.checkReady},
		{"non_learner", func(context.Context) error { return nil }},
		read,
	})
	return mux
}

// serveHealth answers /health with etcd's JSON. Of its query parameters
// serializable=true asks whether the process lives rather than whether clients
// are served; exclude names types of alarms to pass over.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	health := struct {
		Health string `json:"health"`
		Reason string `json:"reason"`
	}{Health: "true"}
	serializable := r.URL.Query().Get("serializable") == "true"
	if reason := s.alarmReason(r.URL.Query()["exclude"]); reason != "" {
		health.Health, health.Reason = "false", reason
	} else if !serializable && !s.backend.Ready() {
		health.Health, health.Reason = "false", "RAFT NO LEADER"
	} else if err := s.checkRead(r.Context()); err != nil {
		health.Health, health.Reason = "false", fmt.Sprintf("RANGE ERROR:%s", err)
	}
	body, err := json.Marshal(health)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if health.Health != "true" {
		s.metrics.healthFailure.Inc()
		http.Error(w, string(body), http.StatusServiceUnavailable)
		return
	}
	s.metrics.healthSuccess.Inc()
	w.Write(body)
}

// serveVersion answers /version with etcd's JSON.
func (s *Server) serveVersion(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	body, err := json.Marshal(version.Versions{
		Server:  s.cfg.Version,
		Cluster: clusterVersion(s.cfg.Version),
		Storage: clusterVersion(s.cfg.Version),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// clusterVersion is "3.6.0" for "3.6.8": the version of a cluster's API.
func clusterVersion(v string) string { return version.Cluster(v) + ".0" }

// check is one of the checks behind /livez or /readyz.
type check struct {
	name string
	run  func(context.Context) error
}

// checkRead reads one key of the view.
func (s *Server) checkRead(ctx context.Context) error {
	_, err := s.view.Range(ctx, &pb.RangeRequest{Key: []byte{0}, KeysOnly: true, Limit: 1})
	return err
}

// checkReady fails while clients are refused.
func (s *Server) checkReady(context.Context) error {
	if !s.backend.Ready() {
		return errNotReady
	}
	return nil
}

// installChecks serves all checks at /kind and each at /kind/name.
func (s *Server) installChecks(mux *http.ServeMux, kind string, checks []check) {
	serve := func(path string, checks []check) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if !allowGet(w, r) {
				return
			}
			excluded := r.URL.Query()["exclude"]
			var lines strings.Builder
			failed := false
			for _, c := range checks {
				if slices.Contains(excluded, c.name) {
					continue
				}
				result, status := 1.0, "success"
				if err := c.run(r.Context()); err != nil {
					result, status, failed = 0, "error", true
					fmt.Fprintf(&lines, "[-]%s failed: %v\n", c.name, err)
				} else {
					fmt.Fprintf(&lines, "[+]%s ok\n", c.name)
				}
				s.metrics.healthcheck.WithLabelValues(kind, c.name).Set(result)
				s.metrics.healthchecks.WithLabelValues(kind, c.name, status).Inc()
			}
			if failed {
				http.Error(w, lines.String(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			if r.URL.Query().Has("verbose") {
				fmt.Fprint(w, lines.String())
			}
			fmt.Fprint(w, "ok\n")
		})
	}
	serve("/"+kind, checks)
	for _, c := range checks {
		serve("/"+kind+"/"+c.name, []check{c})
	}
}

// allowGet refuses methods other than GET, as etcd does.
func allowGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet {
		return true
	}
	w.Header().Set("Allow", http.MethodGet)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}
