"""The runtime models in use: each organisation's active one."""

from jobs.in_use import Active, Loaded
from jobs.models import ModelVersion
from predictor.runtime import RuntimeModel
from predictor.weights import load

# Of how many organisations a process keeps the model in memory, each up to a megabyte: those that submitted last.
MODELS_KEPT = 200

LoadedModel = Loaded[RuntimeModel]
_active = Active[RuntimeModel](ModelVersion.objects.for_org, lambda weights: load(weights), lambda: MODELS_KEPT)
current_model = _active.current
read_model = _active.read
forget_models = _active.forget
