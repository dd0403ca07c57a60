"""Forms over the typed configuration: fields, their help, their problems."""
