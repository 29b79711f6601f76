# Writes the header that names the commit; untouched when it says so already.
execute_process(COMMAND git -C ${source} describe --always --dirty
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
configure_file(${in} ${out} @ONLY)
