# Objects compiled for AVX2 or AVX-512 hold nothing that runs on other processors: no code before main (every static
# table has to be initialised by the compiler) and no shared inline function, of which the linker could keep this copy.
#
#   cmake -DNM=nm -DOBJECTS=a.o|b.o -P instruction_sets.cmake
cmake_policy(VERSION 3.25)
string(REPLACE "|" ";" objects "${OBJECTS}")
list(FILTER objects INCLUDE REGEX "avx")
list(LENGTH objects count)
if(count LESS 4)
  message(FATAL_ERROR "only ${count} objects for AVX2 and AVX-512 among: ${OBJECTS}")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]*(_GLOBAL__sub_I| [WVu] )[^\n]*" found "${symbols}")
  if(found)
    message(SEND_ERROR "${object}: ${found}")
  endif()
endforeach()
