"""The tables of the output: schemas, data files, the Delta log that names them, and what has changed since.

Workers write data files and the driver commits them. Nothing else in the project knows the library
`deltalake`, and `data_files`, which the workers import, does not either. May import `linalg` and `storage`.
"""
