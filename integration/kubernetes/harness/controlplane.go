package harness

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// serviceAddress is what the API server calls its own address in the cluster.
// Nothing dials it; it must only not be a loopback one. (RFC 5737.)
const serviceAddress = "192.0.2.1"

// controlPlaneTimeout bounds how long the API server may take to be ready.
const controlPlaneTimeout = 3 * time.Minute

// ControlPlane is a kube-apiserver with a kube-controller-manager and a
// kube-scheduler, of the versions in go.mod, on a store.
type ControlPlane struct {
	t testing.TB
	// APIServer, Controllers and Scheduler are the processes. The latter two
	// are run again when they end by themselves, which they do by design when
	// they cannot renew their leadership.
	APIServer, Controllers, Scheduler *Process
	// Config is an administrator's access, Client and Dynamic are made from it.
	Config  *rest.Config
	Client  *kubernetes.Clientset
	Dynamic *dynamic.DynamicClient
	http    *http.Client
	url     string
}

// StartControlPlane runs a control plane of its own on the store at endpoint and
// waits until the API server is ready. Flags are further ones of kube-apiserver.
func StartControlPlane(t testing.TB, logs, endpoint string, flags ...string) *ControlPlane {
	t.Helper()
	return Plane{Logs: logs, Endpoint: endpoint, Flags: flags}.Start(t)
}

// Trust is what the control planes of one cluster have in common: the authority
// that vouches for all of them, and the key that signs service accounts' tokens.
type Trust struct {
	ca     *authority
	tokens pair
}

// NewTrust makes an authority and a key.
func NewTrust(t testing.TB) *Trust {
	t.Helper()
	ca := newAuthority(t, t.TempDir())
	return &Trust{ca: ca, tokens: ca.tokenKey()}
}

// Plane says how to run a control plane. Logs and Endpoint are needed.
type Plane struct {
	// Logs is the directory of the logs, Endpoint the store's URL.
	Logs, Endpoint string
	// Flags are further ones of kube-apiserver.
	Flags []string
	// Site is the host name of the components, and before their logs' names.
	// If empty it is that of the test. Only an island has others (see [Island]).
	Site string
	// Trust may be shared; nil is one of its own.
	Trust *Trust
	// Services is the range of the services' addresses, 10.0.0.0/24 by default.
	Services string
	// Controllers are further flags of kube-controller-manager.
	Controllers []string
	// Only starts kube-apiserver alone; the others may be started later.
	Only bool
}

// Start runs a control plane and waits until the API server is ready.
func (plane Plane) Start(t testing.TB) *ControlPlane {
	t.Helper()
	bin := program(t, buildKubernetes)
	trust := plane.Trust
	if trust == nil {
		trust = NewTrust(t)
	}
	services := plane.Services
	if services == "" {
		services = "10.0.0.0/24"
	}
	addr := FreeAddr(t)
	c := &ControlPlane{t: t, url: "https://" + addr}

	ca, server := trust.ca, trust.ca.server()
	c.APIServer = plane.process(t, bin, "kube-apiserver", append([]string{
		"--etcd-servers=" + plane.Endpoint,
		"--bind-address=127.0.0.1", "--secure-port=" + port(t, addr), "--advertise-address=" + serviceAddress,
		"--tls-cert-file=" + server.certFile, "--tls-private-key-file=" + server.keyFile,
		"--client-ca-file=" + ca.file("ca.crt"), "--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=" + services,
		"--service-account-key-file=" + trust.tokens.certFile, "--service-account-signing-key-file=" + trust.tokens.keyFile,
	}, plane.Flags...)...)
	// If what the watch cache holds and what the store holds ever differ, stop.
	c.APIServer.env = []string{"KUBE_WATCHCACHE_CONSISTENCY_CHECKER=true"}

	c.Controllers = c.component(plane, ca, bin, "kube-controller-manager", append([]string{
		"--service-account-private-key-file=" + trust.tokens.keyFile, "--root-ca-file=" + ca.file("ca.crt"),
		"--use-service-account-credentials=true",
	}, plane.Controllers...)...)
	c.Scheduler = c.component(plane, ca, bin, "kube-scheduler")

	admin := ca.client("administrator", "system:masters")
	c.Config = &rest.Config{
		Host:  c.url,
		QPS:   -1, // the client's own limit of 5 requests a second is not what is tested
		Burst: -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: ca.file("ca.crt"), CertFile: admin.certFile, KeyFile: admin.keyFile,
		},
	}
	var err error
	if c.http, err = rest.HTTPClientFor(c.Config); err != nil {
		t.Fatal(err)
	}
	if c.Client, err = kubernetes.NewForConfigAndClient(c.Config, c.http); err != nil {
		t.Fatal(err)
	}
	if c.Dynamic, err = dynamic.NewForConfigAndClient(c.Config, c.http); err != nil {
		t.Fatal(err)
	}

	c.APIServer.Start()
	c.WaitReady()
	if !plane.Only {
		c.Controllers.Start()
		c.Scheduler.Start()
	}
	return c
}

// process returns a component that is not running.
func (plane Plane) process(t testing.TB, bin, name string, args ...string) *Process {
	log := name
	if plane.Site != "" {
		log = plane.Site + "." + name
	}
	p := newProcess(t, plane.Logs, log, filepath.Join(bin, name), args...)
	p.hostName = plane.Site
	return p
}

// component returns kube-controller-manager or kube-scheduler, with an identity
// of its own and default leader election.
func (c *ControlPlane) component(plane Plane, ca *authority, bin, name string, flags ...string) *Process {
	c.t.Helper()
	cert := ca.client("system:" + name)
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.url, CertificateAuthority: ca.file("ca.crt")}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificate: cert.certFile, ClientKey: cert.keyFile}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	file := filepath.Join(c.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		c.t.Fatal(err)
	}
	p := plane.process(c.t, bin, name, append([]string{
		"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file,
		"--bind-address=127.0.0.1", "--secure-port=" + port(c.t, FreeAddr(c.t)), "--cert-dir=" + c.t.TempDir(),
	}, flags...)...)
	p.keepUp = true
	return p
}

// WaitReady waits until the API server says that it is ready.
func (c *ControlPlane) WaitReady() {
	c.t.Helper()
	deadline := time.Now().Add(controlPlaneTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		body, err := c.Client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		cancel()
		switch {
		case err == nil:
			return
		case !c.APIServer.Running():
			c.t.Fatal("kube-apiserver has ended")
		case time.Now().After(deadline):
			c.t.Fatalf("kube-apiserver is not ready after %v: %v\n%s", controlPlaneTimeout, err, body)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func port(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
