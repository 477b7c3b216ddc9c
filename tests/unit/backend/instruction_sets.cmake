# Objects compiled for AVX2 or AVX-512 hold nothing that runs on other processors: no code before main (every static
# table has to be initialised by the compiler) and no shared inline function, of which the linker could keep this copy.
# And the optimiser's step is made with vectors: a compiler that leaves its conditions as branches takes twice as long for
# everything, and says nothing.
#
#   cmake -DNM=nm -DOBJDUMP=objdump -DOBJECTS=a.o|b.o -P instruction_sets.cmake
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
  if(object MATCHES "cpu_compact_avx")
    execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${object} OUTPUT_VARIABLE code COMMAND_ERROR_IS_FATAL ANY)
    if(NOT code MATCHES "vsqrtps" OR code MATCHES "vsqrtss")
      message(SEND_ERROR "${object}: square roots that are not of vectors")
    endif()
  endif()
endforeach()
