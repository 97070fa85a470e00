"""The benchmarks: commands that measure the product and print tables. The product imports nothing from here."""
