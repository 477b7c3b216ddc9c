# Debian's CMake packages of gRPC and Abseil name their shared libraries, about 55 of them for one program. Loading and
# relocating those costs a fresh client with its private server some 25 ms. The same Debian packages hold static
# archives; espalier_prefer_static(NAMESPACES ...) points the imported targets at them where they exist.
function(espalier_prefer_static)
  get_property(imported DIRECTORY ${CMAKE_SOURCE_DIR} PROPERTY IMPORTED_TARGETS)
  foreach(target ${imported})
    foreach(namespace ${ARGN})
      if(target MATCHES "^${namespace}::")
        get_target_property(location ${target} IMPORTED_LOCATION_NONE)
        if(location MATCHES "\\.so[.0-9]*$")
          string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive ${location})
          if(EXISTS ${archive})
            set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_NONE ${archive} IMPORTED_LOCATION ${archive})
          endif()
        endif()
      endif()
    endforeach()
  endforeach()
endfunction()
