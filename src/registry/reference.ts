/** References are parsed in core, because services need them too; here they are at the place where one looks for them. */

export * from '../core/reference.ts';
