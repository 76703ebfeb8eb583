"""Pages, figures and licences kept in step: `make docs`, `make readme`, `make supply`."""
