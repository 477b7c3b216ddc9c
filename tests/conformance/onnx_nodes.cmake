# The operators against ONNX's own node tests and against ONNX Runtime.
espalier_test(onnx_nodes_test LABEL conformance TIMEOUT 300 SOURCES onnx_nodes_test.cc
  LINK espalier_formats espalier_ops espalier_test_support)

add_executable(evaluate_model evaluate_model.cc)
target_compile_options(evaluate_model PRIVATE ${ESPALIER_WARNINGS})
target_link_libraries(evaluate_model PRIVATE espalier_formats espalier_ops espalier_test_support)

# ESPALIER_PYTHON, else the project's virtual environment, else whatever python3 there is; the script skips when that
# interpreter has no onnxruntime.
if(DEFINED ENV{ESPALIER_PYTHON})
  set(conformance_python $ENV{ESPALIER_PYTHON})
elseif(EXISTS ${CMAKE_SOURCE_DIR}/.venv/bin/python)
  set(conformance_python ${CMAKE_SOURCE_DIR}/.venv/bin/python)
else()
  set(conformance_python python3)
endif()
add_test(NAME ort_agreement
  COMMAND ${conformance_python} ${CMAKE_CURRENT_SOURCE_DIR}/ort_agreement.py $<TARGET_FILE:evaluate_model>)
set_tests_properties(ort_agreement PROPERTIES LABELS conformance SKIP_RETURN_CODE 77 TIMEOUT 600)
