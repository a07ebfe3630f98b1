.PHONY: protos
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

protos: ## generate the Python code of the API
	$(BIN)/python -m grpc_tools.protoc -I protos --python_out=services --grpc_python_out=services \
	  --mypy_out=quiet:services --mypy_grpc_out=quiet:services protos/ironcore/notification/v1/*.proto
