"""The engine as a service: headless run, control socket, client, attaching."""
