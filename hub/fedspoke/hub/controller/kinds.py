"""The kinds of object that the controller reads, applies and prunes."""

from fedspoke.api.names import API_VERSION, KIND, MANAGED_CLUSTER
from fedspoke.api.names import PLACEMENT as PLACEMENT_KIND
from fedspoke.kube.client import Kind

FEDERATED_LEARNING = Kind(API_VERSION, KIND)

PLACEMENT = Kind(*PLACEMENT_KIND)
DECISION = Kind("cluster.open-cluster-management.io/v1beta1", "PlacementDecision")
CLUSTER = Kind(*MANAGED_CLUSTER)
CLUSTER_SET = Kind("cluster.open-cluster-management.io/v1beta2", "ManagedClusterSet")
BINDING = Kind("cluster.open-cluster-management.io/v1beta2", "ManagedClusterSetBinding")
SCORE = Kind("cluster.open-cluster-management.io/v1alpha1", "AddOnPlacementScore")
WORK = Kind("work.open-cluster-management.io/v1", "ManifestWork")

CONFIG_MAP = Kind("v1", "ConfigMap")
SECRET = Kind("v1", "Secret")
SERVICE = Kind("v1", "Service")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount")
CLAIM = Kind("v1", "PersistentVolumeClaim")
POD = Kind("v1", "Pod")
NODE = Kind("v1", "Node")
NAMESPACE = Kind("v1", "Namespace")
EVENT = Kind("v1", "Event")
DEPLOYMENT = Kind("apps/v1", "Deployment")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding")

OWNED = (CONFIG_MAP, SERVICE, SERVICE_ACCOUNT, CLAIM, DEPLOYMENT, ROLE, ROLE_BINDING, PLACEMENT)
"""Of these one federation has some in its own namespace, and a Secret that a ConfigMap owns; of ManifestWorks, one in each chosen
cluster's; bindings are shared.
"""
