"""The semantic layer: metrics declared in dbt's format, compiled once by MetricFlow, asked without it."""
