// What OCM's own CEL environment says of expressions over clusters: its libraries, its typed ManagedCluster, its cost limit.
// Read by ocm_cel.py: {"clusters", "scores", "verdicts"} on stdin; on stdout the verdicts, a list of words for each expression.
package main

import (
	"encoding/json"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	limits "k8s.io/apiserver/pkg/apis/cel"
	listers "open-cluster-management.io/api/client/cluster/listers/cluster/v1alpha1"
	clusterv1 "open-cluster-management.io/api/cluster/v1"
	"open-cluster-management.io/api/cluster/v1alpha1"
	"open-cluster-management.io/sdk-go/pkg/cel/common"
	"open-cluster-management.io/sdk-go/pkg/cel/library"
)

type scores struct {
	all       []*v1alpha1.AddOnPlacementScore
	namespace string
}

func (s scores) List(labels.Selector) ([]*v1alpha1.AddOnPlacementScore, error) { return s.all, nil }

func (s scores) AddOnPlacementScores(namespace string) listers.AddOnPlacementScoreNamespaceLister {
	return scores{s.all, namespace}
}

func (s scores) Get(name string) (*v1alpha1.AddOnPlacementScore, error) {
	for _, score := range s.all {
		if score.Namespace == s.namespace && score.Name == name {
			return score, nil
		}
	}
	return nil, errors.NewNotFound(schema.GroupResource{Resource: "addonplacementscores"}, name)
}

func main() {
	var asked struct {
		Clusters []*clusterv1.ManagedCluster
		Scores   []*v1alpha1.AddOnPlacementScore
		Verdicts map[string]string
	}
	check(json.NewDecoder(os.Stdin).Decode(&asked))
	options := append([]cel.EnvOption{library.ManagedClusterLib(scores{all: asked.Scores}), library.JsonLib()}, common.BaseEnvOpts...)
	env, err := cel.NewEnv(options...)
	check(err)
	said := map[string][]string{}
	for expression := range asked.Verdicts {
		for _, cluster := range asked.Clusters {
			said[expression] = append(said[expression], verdict(env, expression, cluster))
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(said))
}

func verdict(env *cel.Env, expression string, cluster *clusterv1.ManagedCluster) string {
	ast, issues := env.Compile(expression)
	if issues != nil {
		return "uncompilable"
	}
	costs := &common.BaseEnvCostEstimator{CostEstimator: &library.CostEstimator{}}
	program, err := env.Program(ast, cel.CostLimit(limits.PerCallLimit), cel.CostTracking(costs))
	if err != nil {
		return "uncompilable"
	}
	object, err := common.ConvertObjectToUnstructured(cluster)
	check(err)
	value, _, err := program.Eval(map[string]any{"managedCluster": object.Object})
	if err != nil {
		return "fails"
	}
	if holds, ok := value.Value().(bool); ok && holds {
		return "true"
	}
	return "false"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
