# cmake --install, and what CPack makes of it. Two components, and Debian packages, each usable without the other:
#
#   espalier          programs, completion, systemd unit, documents for those who run them
#   libespalier-dev   one static archive of the engine, its headers, a CMake package and a pkg-config file
#
# The archive holds what the targets of verifier/ and cuda_kernels/ hold; what it has to be linked with is read off those
# targets, so that a new dependency of a folder cannot be forgotten here.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_target_property(library_parts espalier_verifier LINK_LIBRARIES)
list(FILTER library_parts INCLUDE REGEX "^espalier_")
list(APPEND library_parts espalier_verifier)
set(library_links)
foreach(part ${library_parts})
  get_target_property(links ${part} LINK_LIBRARIES)
  list(APPEND library_links ${links})
endforeach()
list(REMOVE_DUPLICATES library_links)
list(FILTER library_links EXCLUDE REGEX "NOTFOUND$")
list(REMOVE_ITEM library_links ${library_parts})
list(TRANSFORM library_parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE library_objects)

add_library(espalier_archive STATIC ${library_objects})
set_target_properties(espalier_archive PROPERTIES OUTPUT_NAME espalier EXPORT_NAME espalier LINKER_LANGUAGE CXX)
target_link_libraries(espalier_archive INTERFACE ${library_links})
target_include_directories(espalier_archive INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/espalier>)
target_compile_features(espalier_archive INTERFACE cxx_std_20)

# The same list for pkg-config: what has a file of its own is required, the rest is named.
set(pc_requires)
set(pc_libs)
foreach(link ${library_links})
  if(link MATCHES "^absl::(.+)$")
    list(APPEND pc_requires absl_${CMAKE_MATCH_1})
  elseif(link STREQUAL "protobuf::libprotobuf")
    list(APPEND pc_requires protobuf)
  elseif(link STREQUAL "ZLIB::ZLIB")
    list(APPEND pc_requires zlib)
  elseif(link STREQUAL "PkgConfig::CLP")
    list(APPEND pc_requires clp)
  elseif(link STREQUAL "DNNL::dnnl")
    list(APPEND pc_libs -ldnnl)
  elseif(link STREQUAL "espalier_blas")
    list(APPEND pc_libs ${OPENBLAS_LIBRARY})
  elseif(link STREQUAL "OpenMP::OpenMP_CXX")
    list(APPEND pc_libs ${OpenMP_CXX_FLAGS})
  elseif(link STREQUAL "CUDA::cudart_static")
    list(APPEND pc_libs -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lpthread -lrt)
  elseif(link MATCHES "^[a-z_]+$")
    list(APPEND pc_libs -l${link})
  else()
    message(FATAL_ERROR "EspalierInstall.cmake: how does pkg-config link ${link}?")
  endif()
endforeach()
list(JOIN pc_requires " " pc_requires)
list(JOIN pc_libs " " pc_libs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/espalier)
file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/espalier.pc.in espalier.pc @ONLY)
configure_package_config_file(cmake/espalierConfig.cmake.in espalierConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(espalierConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS espalier_archive EXPORT espalierTargets ARCHIVE COMPONENT libespalier-dev)
install(EXPORT espalierTargets NAMESPACE espalier:: DESTINATION ${package_folder} COMPONENT libespalier-dev)
install(FILES ${CMAKE_BINARY_DIR}/espalierConfig.cmake ${CMAKE_BINARY_DIR}/espalierConfigVersion.cmake
  cmake/EspalierEngineDependencies.cmake DESTINATION ${package_folder} COMPONENT libespalier-dev)
install(FILES ${CMAKE_BINARY_DIR}/espalier.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libespalier-dev)
install(FILES verifier/verifier.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/espalier/verifier COMPONENT libespalier-dev)
install(DIRECTORY verifier/api verifier/base DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/espalier/verifier
  COMPONENT libespalier-dev FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install(FILES examples/verify_model.cc DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT libespalier-dev)

if(ESPALIER_SERVICE)
  # OpenBLAS in its OpenMP build does not lie where the loader looks; whatever else the loader finds there would bring
  # threads of its own.
  get_filename_component(blas_folder ${OPENBLAS_LIBRARY} DIRECTORY)
  set_target_properties(espalierd PROPERTIES INSTALL_RPATH ${blas_folder})
  install(TARGETS espalier espalierd RUNTIME COMPONENT espalier)
  # The client prints its own completion.
  install(CODE "execute_process(COMMAND $<TARGET_FILE:espalier> completion bash
    OUTPUT_FILE ${CMAKE_BINARY_DIR}/espalier.bash COMMAND_ERROR_IS_FATAL ANY)" COMPONENT espalier)
  install(FILES ${CMAKE_BINARY_DIR}/espalier.bash RENAME espalier COMPONENT espalier
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES CHANGELOG.md docs/operations.md docs/deployment.md docs/batch.md docs/options.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT espalier)
  install(FILES deploy/systemd/espalierd.service DESTINATION lib/systemd/system COMPONENT espalier)
endif()

# What libespalier-dev depends on stands in scripts/packages.txt under "# Library"; what espalier needs is read off its
# programs by dpkg-shlibdeps.
file(STRINGS scripts/packages.txt packages)
set(section "")
set(dev_packages)
foreach(line ${packages})
  if(line MATCHES "^# ([A-Za-z]+)")
    set(section ${CMAKE_MATCH_1})
  elseif(section STREQUAL "Library")
    list(APPEND dev_packages ${line})
  endif()
endforeach()
list(JOIN dev_packages ", " CPACK_DEBIAN_LIBESPALIER-DEV_PACKAGE_DEPENDS)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME espalier)
set(CPACK_PACKAGE_CONTACT "the Espalier developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "complete verifier for neural networks, as a gRPC service")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 1)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL libespalier-dev)
if(ESPALIER_SERVICE)
  list(APPEND CPACK_COMPONENTS_ALL espalier)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_ESPALIER_PACKAGE_NAME espalier)
set(CPACK_DEBIAN_ESPALIER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_ESPALIER_PACKAGE_DEPENDS libopenblas0-openmp)  # dpkg-shlibdeps takes any build of OpenBLAS for good
set(CPACK_DEBIAN_LIBESPALIER-DEV_PACKAGE_NAME libespalier-dev)
set(CPACK_DEBIAN_LIBESPALIER-DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_LIBESPALIER-DEV_DESCRIPTION "The engine as a static C++20 library: verifier/verifier.h")
set(CPACK_COMPONENT_ESPALIER_DESCRIPTION "The server espalierd and the client espalier")
include(CPack)
