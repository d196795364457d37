package kubernetes

import (
	"context"
	"fmt"
	"testing"

	autoscaling "k8s.io/api/autoscaling/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workload takes a Deployment of 3 pods through 10 and 5 to none, and waits at
// each step until all pods run, or are gone.
func (c *cluster) workload(t *testing.T, namespace string) {
	t.Helper()
	deployments := c.Client.AppsV1().Deployments(namespace)
	if _, err := deployments.Create(t.Context(), deployment("web", 3), meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.running(t, namespace, "web", 3)
	for _, replicas := range []int32{10, 5} {
		c.scale(t, namespace, "web", replicas)
	}
	background := meta.DeletePropagationBackground
	if err := deployments.Delete(t.Context(), "web", meta.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all pods and replica sets are gone", func(ctx context.Context) error {
		pods, err := c.Client.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{})
		if err != nil {
			return err
		}
		sets, err := c.Client.AppsV1().ReplicaSets(namespace).List(ctx, meta.ListOptions{})
		if err != nil {
			return err
		}
		if len(pods.Items)+len(sets.Items) > 0 {
			return fmt.Errorf("%d pods and %d replica sets are left", len(pods.Items), len(sets.Items))
		}
		return nil
	})
}

// scale sets the number of pods and waits for them.
func (c *cluster) scale(t *testing.T, namespace, name string, replicas int32) {
	t.Helper()
	eventually(t, "the deployment is scaled", func(ctx context.Context) error {
		deployments := c.Client.AppsV1().Deployments(namespace)
		scale := &autoscaling.Scale{
			ObjectMeta: meta.ObjectMeta{Name: name, Namespace: namespace},
			Spec:       autoscaling.ScaleSpec{Replicas: replicas},
		}
		_, err := deployments.UpdateScale(ctx, name, scale, meta.UpdateOptions{})
		return err
	})
	c.running(t, namespace, name, replicas)
}

// running waits until the deployment reports that exactly so many pods are
// available, and so many exist, each running on a node.
func (c *cluster) running(t *testing.T, namespace, name string, want int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods run", want), func(ctx context.Context) error {
		d, err := c.Client.AppsV1().Deployments(namespace).Get(ctx, name, meta.GetOptions{})
		if err != nil {
			return err
		}
		if s := d.Status; s.ObservedGeneration != d.Generation || s.Replicas != want || s.AvailableReplicas != want {
			return fmt.Errorf("the deployment reports %d pods, %d available", s.Replicas, s.AvailableReplicas)
		}
		pods, err := c.Client.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		running := int32(0)
		for _, pod := range pods.Items {
			if pod.Spec.NodeName != "" && pod.Status.Phase == core.PodRunning {
				running++
			}
		}
		if running != want || len(pods.Items) != int(want) {
			return fmt.Errorf("%d pods exist, %d run", len(pods.Items), running)
		}
		return nil
	})
}
