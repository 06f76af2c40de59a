import type { SubmitForm } from '../api/types';
import type { IFields } from './fields';
import type { SubmitModel } from './submitmodel';

/** What every part of the submit form is drawn from. */
export interface IPartProps {
  model: SubmitModel;
  form: SubmitForm;
  fields: IFields;
}
