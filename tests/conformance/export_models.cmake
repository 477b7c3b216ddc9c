# Exported models: the same network again, and ONNX Runtime's outputs.
add_library(espalier_export_compare STATIC export_compare.cc)
target_compile_options(espalier_export_compare PRIVATE ${ESPALIER_WARNINGS})
target_link_libraries(espalier_export_compare PUBLIC espalier_ir)

add_executable(export_model export_model.cc)
target_compile_options(export_model PRIVATE ${ESPALIER_WARNINGS})
target_link_libraries(export_model PRIVATE espalier_formats espalier_ops espalier_export_compare espalier_test_support)

espalier_test(export_random_test LABEL conformance SOURCES export_random_test.cc
  LINK espalier_formats espalier_ops espalier_random espalier_export_compare)

# onnx_nodes.cmake chose the interpreter.
add_test(NAME export_agreement
  COMMAND ${conformance_python} ${CMAKE_CURRENT_SOURCE_DIR}/export_agreement.py
    $<TARGET_FILE:export_model> $<TARGET_FILE:evaluate_model>)
set_tests_properties(export_agreement PROPERTIES LABELS conformance SKIP_RETURN_CODE 77 TIMEOUT 600)
