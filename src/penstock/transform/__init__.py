"""Silver to gold: the dbt project of a project, built in a copy of the private warehouse."""
