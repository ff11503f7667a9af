"""The command line: parse, call a workflow, print. The only room with click."""
