"""What stands between the network and a page: connections, bodies, headers, faults."""
