/* SPDX-License-Identifier: Apache-2.0 */
/* For cppcheck, which does not read the headers of libraries: loops that are macros there. */
#define bpf_object__for_each_program(program, object) for ((program) = (void *)(object); program;)
#define json_object_foreach(object, key, value)	      for ((key) = "", (value) = (void *)(object); value;)
#define __x86_64__				      1
