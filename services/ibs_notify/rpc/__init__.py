"""gRPC as this project uses it: servers, channels, errors on the wire, paging, conversions."""
