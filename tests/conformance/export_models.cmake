# Exported models: the same network again, and ONNX Runtime's outputs.
add_library(espalier_export_compare STATIC export_compare.cc)
target_compile_options(espalier_export_compare PRIVATE ${ESPALIER_WARNINGS})
target_link_libraries(espalier_export_compare PUBLIC espalier_ir)

add_executable(export_model export_model.cc)
target_compile_options(export_model PRIVATE ${ESPALIER_WARNINGS})
target_link_libraries(export_model PRIVATE espalier_formats espalier_ops espalier_export_compare espalier_test_support)
