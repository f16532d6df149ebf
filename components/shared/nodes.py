"""The nodes' names, by which artifacts lie, settings are found and a cluster knows them."""

EXAMPLE_GEN = "ChestXrayExampleGen"
SCHEMA_GEN = "SchemaGen"
STATISTICS_GEN = "StatisticsGen"
EXAMPLE_VALIDATOR = "ExampleValidator"
TRANSFORM = "Transform"
TRAINER = "Trainer"
EVALUATOR = "YoudenEvaluator"
SERVING_CHECK = "ServingCheck"
PUSHER = "Pusher"
REPORTER = "Reporter"

# In the order in which they run.
NODES = (
    EXAMPLE_GEN,
    SCHEMA_GEN,
    STATISTICS_GEN,
    EXAMPLE_VALIDATOR,
    TRANSFORM,
    TRAINER,
    EVALUATOR,
    SERVING_CHECK,
    PUSHER,
    REPORTER,
)
