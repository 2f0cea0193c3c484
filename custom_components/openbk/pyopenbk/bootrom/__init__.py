"""The boot ROM of a BK7231N over its download UART."""
